//! `products`: what watch lists contain, and which products advisories name.

use advisoryd::job::lists::mirror;
use advisoryd::simulate::SimulatorOptions;
use serde_json::{Value, json};

use crate::support::settings::WatchList;
use crate::support::{World, assert_reads, small};

/// Two followed lists; that the second one contains something, nobody knows.
async fn world() -> World {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.lists = Some(Vec::new());
    for (id, name) in (1..).zip(["Linux servers", "Office clients"]) {
        world.settings.watch_lists.push(WatchList {
            id,
            name: Some(name),
            ..WatchList::default()
        });
    }
    world
}

async fn mirrored(world: &World) {
    let mirrored = mirror::mirror(&world.context().await).await;
    mirrored.expect("it is written down").expect("nobody else");
}

/// Imports an advisory that names these products.
fn import(world: &World, list: &str, (said, criticality): (&str, u8), products: &[&str]) {
    let products: Vec<String> = products
        .iter()
        .map(|name| format!("<product><name>{name}</name></product>"))
        .collect();
    let document = format!(
        "<advisories><advisory><advisory_identifier>{said}</advisory_identifier><title>T</title>\
         <criticality>{criticality}</criticality><released>2026-01-02T03:04:05Z</released>\
         <products>{}</products></advisory></advisories>",
        products.join("")
    );
    let file = world.dir().join("feed.xml");
    std::fs::write(&file, document).unwrap();
    let file = file.display().to_string();
    let result = world.cli(&["import", "--watch-list", list, &file]);
    assert_eq!(result.code, 0, "{result}");
}

fn products(world: &World, arguments: &[&str]) -> Vec<Value> {
    let result = world.cli(&[&["products", "--json"], arguments].concat());
    assert_eq!(result.code, 0, "{result}");
    result.json_lines()
}

fn names(lines: &[Value]) -> Vec<&str> {
    let names = lines.iter().map(|line| line["name"].as_str().unwrap());
    names.collect()
}

#[tokio::test]
async fn a_product_is_found_with_its_lists_its_time_and_the_advisories_that_name_it() {
    let world = world().await;
    mirrored(&world).await;
    import(&world, "1", ("SA1", 4), &["Mail Relay 1.x"]);
    import(
        &world,
        "1",
        ("SA2", 2),
        &["mail relay 2.x", "Mail Relay Pro"],
    );
    let found = products(&world, &["mail", "RELAY"]);
    assert_eq!(
        names(&found),
        [
            "Mail Relay",
            "Mail Relay 1.x",
            "Mail Relay Pro",
            "mail relay 2.x"
        ]
    );
    let product = &found[0];
    assert_eq!(
        (&product["kind"], &product["advisories"]),
        (&json!("product"), &json!(2)),
        "its releases name it, another product does not: {product}"
    );
    assert_eq!(product["severity"], "highly_critical", "the highest");
    assert_eq!(product["watch_lists"], json!(["Linux servers"]));
    assert!(product["first_seen_at"].is_string() && product["left_at"].is_null());
    let release = &found[1];
    assert_eq!(
        (&release["kind"], &release["advisories"]),
        (&json!("product_release"), &json!(1))
    );
    assert_eq!(found[2]["kind"], Value::Null, "no list contains it");
    assert_eq!(found[2]["watch_lists"], json!([]));
    let unknown = world.cli(&["products", "--watch-list", "Linnux"]);
    assert_eq!(unknown.code, 1);
    assert_reads!(world.cli(&["products", "relay"]), unknown);
}

#[tokio::test]
async fn products_are_those_of_all_lists_or_of_one() {
    let world = world().await;
    mirrored(&world).await;
    let listed = "select count(distinct (lower(name), kind)) from advisoryd_v1.watch_list_products";
    let listed = world.count(listed).await;
    import(
        &world,
        "1",
        ("SA1", 4),
        &["Mail Relay 1.x", "Elsewhere 3.x"],
    );
    import(&world, "1", ("SA2", 2), &["Mail Relay 2.x"]);
    import(&world, "2", ("SA3", 5), &["Elsewhere 3.x"]);
    let all = products(&world, &[]);
    assert_eq!(i64::try_from(all.len()).unwrap(), listed + 2);
    assert_eq!(
        names(&all)[..2],
        ["Elsewhere 3.x", "Mail Relay"],
        "most first"
    );
    let vendors = all.iter().filter(|line| line["kind"] == "vendor");
    assert!(vendors.clone().count() > 0);
    assert!(vendors.clone().all(|line| line["advisories"].is_null()));
    let contained = products(&world, &["--listed"]);
    assert_eq!(i64::try_from(contained.len()).unwrap(), listed);

    // Of one list: what it contains, and what its advisories name.
    let of_list = |name: &str| products(&world, &["--watch-list", name, "elsewhere"]);
    assert_eq!(of_list("Office clients")[0]["advisories"], 1);
    assert_eq!(of_list("1")[0]["advisories"], 1);
    assert_eq!(products(&world, &["elsewhere"])[0]["advisories"], 2);
    let lists = products(&world, &["--watch-list", "2", "--listed"]);
    let is_second = |line: &Value| line["watch_lists"] == json!(["Office clients"]);
    assert!(!lists.is_empty() && lists.iter().all(is_second));
}

#[tokio::test]
async fn what_left_all_lists_is_shown_when_asked_for_and_what_is_unknown_is_said() {
    let world = world().await;
    import(&world, "1", ("SA1", 4), &["Mail Relay 1.x"]);
    let unread = world.cli(&["products"]);
    assert_eq!(unread.code, 0, "{unread}");
    assert_eq!(names(&products(&world, &[])), ["Mail Relay 1.x"]);
    mirrored(&world).await;
    assert_eq!(names(&products(&world, &["--gone"])), [""; 0]);
    assert!(world.simulator.remove_product(1, "Mail Relay"));
    mirrored(&world).await;
    let gone = products(&world, &["--gone"]);
    assert_eq!(names(&gone), ["Mail Relay", "Mail Relay 1.x"]);
    assert!(gone[0]["left_at"].is_string());
    assert_eq!(gone[0]["watch_lists"], json!([]));
    assert_eq!(gone[0]["advisories"], 1, "it is still named");
    assert_eq!(products(&world, &["relay"]), gone, "they are still named");
    assert!(products(&world, &["relay", "--listed"]).is_empty());
    let csv = world.cli(&["products", "--gone", "--csv", "--columns", "name,kind"]);
    assert_eq!(
        csv.stdout,
        "name,kind\nMail Relay,product\nMail Relay 1.x,product_release\n"
    );
    assert_reads!(
        unread,
        world.cli(&["products", "--gone"]),
        world.cli(&["products", "relay"])
    );
}
