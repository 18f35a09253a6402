//! Captured and public documents, where they are present.

use std::path::{Path, PathBuf};

use crate::support::{Documents, World};

/// The folder that lies beside the project on its makers' machines.
fn samples() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/cvrf");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not here", folder.display());
    None
}

/// Both documents without their XML declarations, in one root.
fn wrapped(folder: &Path) -> String {
    let inner: String = ["cisco-sa-20180328-smi2.xml", "rhsa-2012-0465.xml"]
        .iter()
        .map(|name| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            let (_, body) = text.split_once("?>").unwrap();
            body.to_owned()
        })
        .collect();
    format!("<documents>{inner}</documents>")
}

#[tokio::test]
async fn public_cvrf_documents_come_in_whole() {
    let Some(folder) = samples() else { return };
    let documents = Documents::serve().await;
    documents.set(1, wrapped(&folder));
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    world.more =
        "[feeds]\nid_pattern = \"(cisco-sa-[0-9a-z-]+|RHSA-[0-9]{4}:[0-9]{4})\"\n".to_owned();
    let report = world.pull_one().await;
    assert_eq!(report.outcome, "ok", "{:?}", report.error);
    assert_eq!(report.tally.quarantined, 0);
    let told: Vec<String> = sqlx::query_scalar(
        "select format('%s | %s | %s | %s | cves %s | v2 %s %s | v3 %s %s | products %s | references %s | words %s / %s',
                       a.said, a.title, a.released_at at time zone 'UTC',
                       a.modified_at at time zone 'UTC', a.cves, a.cvss2_score, a.cvss2_vector,
                       a.cvss3_score, a.cvss3_vector,
                       (select count(*) from advisoryd_v1.advisory_products p where p.said = a.said),
                       (select count(*) from advisoryd_v1.advisory_references r where r.said = a.said),
                       length(a.description) > 500, length(a.solution) > 100)
         from advisoryd_v1.advisories a
         order by a.said",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    insta::assert_snapshot!(told.join("\n"), @r"
    RHSA-2012:0465 | Red Hat Security Advisory: samba security update | 2012-04-10 19:43:00 | 2012-04-10 19:43:00 | cves {CVE-2012-1182} | v2 8.3 AV:A/AC:L/Au:N/C:C/I:C/A:C | v3   | products 40 | references 5 | words t / t
    cisco-sa-20180328-smi2 | Cisco IOS and IOS XE Software Smart Install Remote Code Execution Vulnerability | 2018-03-28 16:00:00 | 2018-05-03 19:35:38 | cves {CVE-2018-0171} | v2   | v3 9.8 CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H | products 223 | references 3 | words t / t
    ");
}
