//! Feed profile with attributes and CDATA.

use crate::simulate::record::{Score, SimulatedAdvisory, time};
use crate::simulate::words;

use super::xml::Xml;

/// A default namespace that means nothing to anybody.
pub const HEAD: &str = "<feed xmlns=\"urn:example:advisory-feed:2\" version=\"2\">\n";
/// See [`HEAD`].
pub const TAIL: &str = "</feed>\n";

/// One `<advisory said="…" id="…" modified="…">`: short values are attributes, texts are CDATA.
pub fn record(xml: &mut Xml, record: &SimulatedAdvisory) {
    xml.raw("<advisory");
    for (name, value) in [
        ("said", record.said()),
        ("id", record.entry.id().to_string()),
        ("released", time(record.entry.released_at)),
        ("modified", time(record.entry.modified_at)),
        ("criticality", record.criticality.to_string()),
        ("where", record.reach.to_string()),
        ("solution_status", record.solution_status.to_string()),
        ("is_zero_day", u8::from(record.is_zero_day).to_string()),
    ] {
        xml.attribute(name, &value);
    }
    if let Some(kind) = record.kind {
        xml.attribute("type", &kind.to_string());
    }
    if let Some(tenths) = record.scores.threat_tenths {
        xml.attribute("threat_score", &format!("{:.1}", f64::from(tenths) / 10.0));
    }
    xml.raw(">\n");
    xml.element("title", &record.title);
    score(xml, "cvss", &record.scores.v2);
    score(xml, "cvss3", &record.scores.v3);
    score(xml, "cvss4", &record.scores.v4);
    xml.cdata("description", &record.description);
    xml.cdata("solution", &record.solution);
    xml.cdata("provided_by", &record.provided_by);
    lists(xml, record);
    xml.raw("</advisory>\n");
}

/// As on the JSON API: `cvss3_score` and `cvss3_vector`.
fn score(xml: &mut Xml, name: &str, score: &Score) {
    if !score.is_missing() {
        xml.element(&format!("{name}_score"), &format!("{:.1}", score.base()));
        xml.element(&format!("{name}_vector"), score.vector().unwrap_or(""));
    }
}

fn lists(xml: &mut Xml, record: &SimulatedAdvisory) {
    xml.open("impacts");
    for code in &record.impacts {
        xml.raw("<impact");
        xml.attribute("id", &code.to_string());
        xml.attribute("name", words::IMPACT[usize::from(*code)]);
        xml.raw("/>");
    }
    xml.close("impacts");
    xml.open("cves");
    for cve in record.cves() {
        xml.element("cve", cve);
    }
    xml.close("cves");
    xml.open("products");
    for item in &record.products {
        xml.raw("<product");
        xml.attribute("id", &item.id);
        xml.attribute("name", &item.name);
        xml.attribute("is_os", &u8::from(item.is_os).to_string());
        xml.raw(">");
        for cpe in &item.cpes {
            xml.element("cpe", cpe);
        }
        xml.raw("</product>");
    }
    xml.close("products");
    xml.open("references");
    for link in &record.references {
        xml.raw("<reference");
        xml.attribute("ordinal", &link.ordinal.to_string());
        xml.attribute("url", &link.url);
        xml.attribute("description", &link.description);
        xml.raw("/>");
    }
    xml.close("references");
}
