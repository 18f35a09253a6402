//! Captured and public documents, where they are present.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Documents, World};

/// A folder that lies beside the project on its makers' machines.
pub fn samples(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/samples")
        .join(name);
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
    let Some(folder) = samples("cvrf") else {
        return;
    };
    let documents = Documents::serve().await;
    documents.set(1, wrapped(&folder));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let pattern = "(cisco-sa-[0-9a-z-]+|RHSA-[0-9]{4}:[0-9]{4})";
    world.settings.feeds.id_pattern = Some(pattern);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    assert_eq!(report.tally.quarantined, 0);
    let result: Vec<String> = sqlx::query_scalar(
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
    insta::assert_snapshot!(result.join("\n"), @r"
    RHSA-2012:0465 | Red Hat Security Advisory: samba security update | 2012-04-10 19:43:00 | 2012-04-10 19:43:00 | cves {CVE-2012-1182} | v2 8.3 AV:A/AC:L/Au:N/C:C/I:C/A:C | v3   | products 40 | references 5 | words t / t
    cisco-sa-20180328-smi2 | Cisco IOS and IOS XE Software Smart Install Remote Code Execution Vulnerability | 2018-03-28 16:00:00 | 2018-05-03 19:35:38 | cves {CVE-2018-0171} | v2   | v3 9.8 CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H | products 223 | references 3 | words t / t
    ");
}

/// How a JSON body would look as XML.
#[derive(Clone, Copy)]
enum Dialect {
    /// Lists as elements of the singular's name: `<products><product>…`.
    JsonNames,
    /// As Django REST framework's renderer writes it.
    Drf,
}

impl Dialect {
    fn document(self, record: &Value) -> String {
        let mut inner = String::new();
        self.write(record, "", &mut inner);
        match self {
            Self::JsonNames => format!("<advisories><advisory>{inner}</advisory></advisories>"),
            Self::Drf => format!("<root><list-item>{inner}</list-item></root>"),
        }
    }

    fn write(self, value: &Value, name: &str, out: &mut String) {
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (key, value) in fields {
                    let _ = write!(out, "<{key}>");
                    self.write(value, key, out);
                    let _ = write!(out, "</{key}>");
                }
            }
            Value::Array(items) => {
                let item_name = match self {
                    Self::JsonNames => name.strip_suffix('s').unwrap_or("item"),
                    Self::Drf => "list-item",
                };
                for item in items {
                    let _ = write!(out, "<{item_name}>");
                    self.write(item, item_name, out);
                    let _ = write!(out, "</{item_name}>");
                }
            }
            Value::String(text) => out.push_str(&quick_xml::escape::escape(text.as_str())),
            other => out.push_str(&other.to_string()),
        }
    }
}

#[tokio::test]
async fn the_captured_advisory_comes_in_whole_in_either_dialect() {
    let Some(folder) = samples("nvdtools") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("advisory_details_example.json")).unwrap();
    let captured: Value = serde_json::from_str(&text).unwrap();
    for dialect in [Dialect::JsonNames, Dialect::Drf] {
        let documents = Documents::serve().await;
        documents.set(1, dialect.document(&captured));
        let mut world = World::new().await;
        world.settings.upstream.base_url = Some(documents.base_url.clone());
        let report = world.pull_one().await;
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
        assert_eq!((report.tally.added, report.tally.quarantined), (1, 0));
        compare(&captured, &stored(&world).await);
    }
}

pub async fn stored(world: &World) -> Value {
    sqlx::query_scalar(
        "select to_jsonb(a) || jsonb_build_object(
             'released', a.released_at = '2019-03-01T13:35:05Z',
             'modified', a.modified_at = '2019-03-01T13:35:05Z',
             'products', (select jsonb_agg(p.name order by p.name) from advisoryd_v1.advisory_products p),
             'links', (select jsonb_agg(r.url order by r.ordinal) from advisoryd_v1.advisory_references r))
         from advisoryd_v1.advisories a",
    )
    .fetch_one(world.pool())
    .await
    .unwrap()
}

/// Every field that has a column holds what was captured.
pub fn compare(captured: &Value, stored: &Value) {
    let same = |ours: &str, theirs: &Value| assert_eq!(&stored[ours], theirs, "{ours}");
    same("said", &captured["advisory_identifier"]);
    same("upstream_id", &captured["id"]);
    same("title", &captured["title"]);
    same("criticality", &captured["criticality"]);
    same("severity", &"less_critical".into());
    same("solution_status", &captured["solution_status_description"]);
    same("is_zero_day", &captured["is_zero_day"]);
    same("cvss3_vector", &captured["cvss3_vector"]);
    same("cvss3_score", &6.1.into());
    same("released", &true.into());
    same("modified", &true.into());
    let words = |value: &Value| value.as_str().unwrap().replace("\r\n", "\n");
    same("description", &words(&captured["description"]).into());
    same("solution", &words(&captured["solution"]).into());
    let cves: Vec<&str> = captured["cve_str_list"]
        .as_str()
        .unwrap()
        .split_whitespace()
        .collect();
    same("cves", &cves.into());
    let all = |list: &str, field: &str| -> Vec<String> {
        let items = captured[list].as_array().unwrap().iter();
        items
            .map(|item| item[field].as_str().unwrap().to_owned())
            .collect()
    };
    same("impacts", &all("impact", "name").into());
    let mut products = all("products", "name");
    products.sort();
    same("products", &products.into());
    same("links", &all("references", "url").into());
}
