//! Records of known advisories that say nothing: upstream could not make them.

use advisoryd::job::feeds::feed::LookBack;

use crate::support::{World, world_of_documents};

const AT: &str = "<modified_date>2026-11-20T00:00:00Z</modified_date>";

fn whole(number: usize) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T{number}</title>\
         <criticality>2</criticality><solution_status>2</solution_status>\
         <cves><item>CVE-2026-{:04}</item></cves><solution>Upgrade</solution>\
         <released>2026-11-0{number}T00:00:00Z</released>{AT}</advisory>",
        number * 10
    )
}

fn feed(third: &str) -> String {
    let [first, second, fourth, fifth] = [1, 2, 4, 5].map(whole);
    format!("<advisories>{first}{second}{third}{fourth}{fifth}</advisories>")
}

/// What is stored of the third advisory, and what is told of it.
async fn third(world: &World) -> (Vec<String>, Vec<String>) {
    let stored = "select concat_ws(' ', title, severity, solution, version)
                  from advisoryd_v1.advisories where said = 'SA3'";
    let result = "select what from advisoryd_v1.changes where key = 'SA3' order by seq";
    (world.texts(stored).await, world.texts(result).await)
}

const QUARANTINED: &str = "select concat_ws(' ', key, raw) from advisoryd_v1.quarantine";
const WANTED: &str = "select said from advisoryd.wanted_detail where said = 'SA3'";

#[tokio::test]
async fn a_record_that_has_lost_its_contents_replaces_nothing() {
    let identifier = "<advisory_identifier>SA3</advisory_identifier>";
    for blank in [
        format!("<advisory>{identifier}</advisory>"),
        format!("<advisory>{identifier}<error>could not render</error></advisory>"),
        format!(
            "<advisory>{identifier}<title>** not licensed **</title><criticality/>{AT}</advisory>"
        ),
        format!(
            "<advisory>{identifier}<modified_date>2026-11-29T00:00:00Z</modified_date></advisory>"
        ),
        format!("<deleted>{identifier}</deleted>"),
    ] {
        let (mut world, documents) = world_of_documents().await;
        world.settings.feeds.details = Some("auto");
        documents.set(1, feed(&whole(3)));
        world.pull_one().await;
        let before = third(&world).await;
        sqlx::query("delete from advisoryd.wanted_detail")
            .execute(world.pool())
            .await
            .unwrap();
        documents.set(1, feed(&blank));
        let report = world.pull_back(LookBack::Full).await.remove(0);
        let tally = report.tally;
        assert_eq!((tally.seen, tally.quarantined), (4, 1), "{blank}");
        assert_eq!(third(&world).await, before, "{blank}");
        let quarantined = world.texts(QUARANTINED).await;
        let mark = "<?advisoryd identifier-alone?>";
        let unmarked: Vec<String> = quarantined
            .iter()
            .map(|one| one.replace(mark, ""))
            .collect();
        assert_eq!(unmarked, [format!("SA3 {blank}")]);
        assert_eq!(world.texts(WANTED).await, ["SA3"], "{blank}");
        // It is still a member, and the record that comes back ends the matter.
        documents.set(1, feed(&whole(3)));
        world.pull_back(LookBack::Full).await;
        assert_eq!(third(&world).await, before, "{blank}");
        assert_eq!(world.texts(QUARANTINED).await, [""; 0], "{blank}");
    }
}

#[tokio::test]
async fn of_a_blank_and_a_whole_record_in_one_document_the_whole_one_counts() {
    let (world, documents) = world_of_documents().await;
    let blank = "<advisory><advisory_identifier>SA3</advisory_identifier>\
                 <modified_date>2026-11-29T00:00:00Z</modified_date></advisory>";
    documents.set(1, feed(&format!("{blank}{}", whole(3))));
    world.pull_one().await;
    assert_eq!(third(&world).await.0, ["T3 highly_critical Upgrade 1"]);
}

#[tokio::test]
async fn a_value_that_comes_back_is_no_event() {
    let (world, documents) = world_of_documents().await;
    let part = |more: &str, day: usize| {
        feed(&format!(
            "<advisory><advisory_identifier>SA3</advisory_identifier><title>T3</title>{more}\
             <description>d</description><modified_date>2026-11-2{day}T00:00:00Z</modified_date></advisory>"
        ))
    };
    let all = "<criticality>2</criticality><solution_status>2</solution_status>\
               <cves><item>CVE-2026-0030</item></cves>";
    for (day, more) in ["", all, "", "<criticality>2</criticality>", all]
        .iter()
        .enumerate()
    {
        documents.set(1, part(more, day + 1));
        world.pull_one().await;
    }
    let (_, result) = third(&world).await;
    let events: Vec<&String> = result
        .iter()
        .filter(|what| !["appeared", "revised"].contains(&what.as_str()))
        .collect();
    // Each is told at most once, when it was first known.
    for what in ["escalated", "solution_available", "cves_added"] {
        let times = events.iter().filter(|event| event.as_str() == what).count();
        assert!(times <= 1, "{what}: {result:?}");
    }
    let later = "select what from advisoryd_v1.changes
                 where key = 'SA3' and version > 2 order by seq";
    assert_eq!(world.texts(later).await, ["revised"; 3]);
}
