//! What `silence add` says of patterns, without reading all that is stored.

use crate::support::{CommandResult, World};

fn dry(world: &World, matcher: &str) -> CommandResult {
    let add = ["silence", "add", matcher, "--reason", "r"];
    let more = ["--until", "1h", "--dry-run"];
    world.cli(&[&add[..], &more].concat())
}

#[tokio::test]
async fn patterns_are_compared_with_what_is_stored_letter_by_letter() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    for (column, value) in [
        ("title", "Größe 100%_\\ of \"Über\""),
        ("cves", "{CVE-2026-1234}"),
    ] {
        let sql = match column {
            "title" => "update advisoryd.advisory set title = $2 where said = $1",
            _ => "update advisoryd.advisory set cves = $2::text[] where said = $1",
        };
        sqlx::query(sql)
            .bind(&said)
            .bind(value)
            .execute(world.pool())
            .await
            .unwrap();
    }
    for (matcher, is_stored) in [
        (format!("key={}", said.to_lowercase()), true),
        (format!("key=SA{}", "?".repeat(said.len() - 2)), true),
        (format!("key=SA{}", "_".repeat(said.len() - 2)), false),
        ("title=GRÖSSE*".to_owned(), false),
        ("title=GRÖßE 100%_\\ of*".to_owned(), true),
        ("title=*über\"".to_owned(), true),
        ("title=*öber\"".to_owned(), false),
        ("title=größe 100*of*ü*".to_owned(), true),
        ("title=gr%".to_owned(), false),
        ("cve=cve-2026-12*".to_owned(), true),
        ("cve=CVE-2026-1234".to_owned(), true),
        ("cve=CVE-2026-12345".to_owned(), false),
    ] {
        let result = dry(&world, &matcher);
        assert_eq!(result.code, 0, "{result}");
        let is_warned = result
            .stderr
            .contains(&format!("warning: `{matcher}` matches no stored"));
        assert_eq!(is_warned, !is_stored, "{matcher}: {result}");
    }
}

#[tokio::test]
async fn products_are_looked_up_by_their_whole_name_and_parts_are_advised() {
    let world = World::new().await;
    world.pull_one().await;
    let name = world
        .texts("select max(name) from advisoryd_v1.advisory_products")
        .await
        .remove(0);
    let whole = dry(&world, &format!("product={}", name.to_uppercase()));
    assert_eq!(whole.code, 0, "{whole}");
    let part: String = name.chars().skip(1).take(8).collect();
    let refused = dry(&world, &format!("product={part}"));
    assert_eq!(refused.code, 1, "{refused}");
    let advice = format!("use `product=*{part}*`");
    assert!(refused.stderr.contains(&advice), "{refused}");
    let unknown = dry(&world, "product=nothing%like_this");
    assert!(unknown.stderr.contains("advisoryd products"), "{unknown}");
}

#[tokio::test]
async fn the_author_of_a_silence_is_the_login() {
    let world = World::new().await;
    let add = [
        "silence", "add", "key=SA*", "--reason", "r", "--until", "1h",
    ];
    assert_eq!(world.cli(&add).code, 0);
    let login = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let login = String::from_utf8(login.stdout).unwrap();
    let listed = world.cli(&["silence", "list", "--json"]).json_lines();
    assert_eq!(listed[0]["created_by"], login.trim());
}
