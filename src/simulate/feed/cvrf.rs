//! Feed profile similar to CVRF 1.2.

use crate::simulate::record::{Score, SimulatedAdvisory, Weakness, time};
use crate::simulate::words;

use super::xml::Xml;

/// The wrapper around the documents.
pub const HEAD: &str = "<cvrfdocs>\n";
/// See [`HEAD`].
pub const TAIL: &str = "</cvrfdocs>\n";

const OPEN: &str = "<cvrf:cvrfdoc xmlns:cvrf=\"http://docs.oasis-open.org/csaf/ns/csaf-cvrf/v1.2/cvrf\" \
     xmlns:prod=\"http://docs.oasis-open.org/csaf/ns/csaf-cvrf/v1.2/prod\" \
     xmlns:vuln=\"http://docs.oasis-open.org/csaf/ns/csaf-cvrf/v1.2/vuln\">\n";

/// One CVRF 1.2-like document. It has no place for the attack vector, the
/// solution status, the impacts, the threat score and upstream's numbers.
pub fn record(xml: &mut Xml, record: &SimulatedAdvisory) {
    xml.raw(OPEN);
    xml.element("cvrf:DocumentTitle", &record.title);
    xml.element("cvrf:DocumentType", "Security Advisory");
    tracking(xml, record);
    xml.raw("<cvrf:DocumentNotes><cvrf:Note Type=\"Summary\" Ordinal=\"1\">");
    xml.content(&record.description);
    xml.raw("</cvrf:Note></cvrf:DocumentNotes>\n");
    xml.element(
        "cvrf:AggregateSeverity",
        words::CRITICALITY[usize::from(record.criticality)],
    );
    xml.open("cvrf:DocumentReferences");
    for link in &record.references {
        xml.raw("<cvrf:Reference Type=\"External\">");
        xml.element("cvrf:URL", &link.url);
        xml.element("cvrf:Description", &link.description);
        xml.close("cvrf:Reference");
    }
    xml.close("cvrf:DocumentReferences");
    xml.open("prod:ProductTree");
    for item in &record.products {
        xml.raw("<prod:FullProductName");
        xml.attribute("ProductID", &item.id);
        if let Some(cpe) = item.cpes.first() {
            xml.attribute("CPE", cpe);
        }
        xml.raw(">");
        xml.content(&item.name);
        xml.close("prod:FullProductName");
    }
    xml.close("prod:ProductTree");
    if record.weaknesses.is_empty() {
        vulnerability(xml, record, 1, None);
    }
    for (ordinal, weakness) in (1..).zip(&record.weaknesses) {
        vulnerability(xml, record, ordinal, Some(weakness));
    }
    xml.raw("</cvrf:cvrfdoc>\n");
}

fn tracking(xml: &mut Xml, record: &SimulatedAdvisory) {
    xml.raw("<cvrf:DocumentTracking><cvrf:Identification>");
    xml.element("cvrf:ID", &record.said());
    xml.raw("</cvrf:Identification><cvrf:Status>Final</cvrf:Status><cvrf:RevisionHistory>");
    for note in &record.revisions {
        xml.open("cvrf:Revision");
        xml.element("cvrf:Number", &note.number);
        xml.element("cvrf:Date", &time(note.at));
        xml.element("cvrf:Description", &note.description);
        xml.close("cvrf:Revision");
    }
    xml.close("cvrf:RevisionHistory");
    xml.element("cvrf:InitialReleaseDate", &time(record.entry.released_at));
    xml.element("cvrf:CurrentReleaseDate", &time(record.entry.modified_at));
    xml.raw("</cvrf:DocumentTracking>\n");
}

/// Scores and solution stand in every one of an advisory's vulnerabilities, and are the same in all.
fn vulnerability(
    xml: &mut Xml,
    record: &SimulatedAdvisory,
    ordinal: u32,
    weakness: Option<&Weakness>,
) {
    xml.raw("<vuln:Vulnerability");
    xml.attribute("Ordinal", &ordinal.to_string());
    xml.raw(">");
    if let Some(weakness) = weakness {
        xml.element("vuln:Title", &weakness.cve);
        xml.raw("<vuln:Notes><vuln:Note Type=\"Summary\" Ordinal=\"1\">");
        xml.content(&weakness.text);
        xml.raw("</vuln:Note></vuln:Notes>");
        xml.element("vuln:CVE", &weakness.cve);
    }
    xml.open("vuln:CVSSScoreSets");
    score_set(xml, "V2", &record.scores.v2);
    score_set(xml, "V3", &record.scores.v3);
    xml.close("vuln:CVSSScoreSets");
    if !record.solution.is_empty() {
        xml.raw("<vuln:Remediations><vuln:Remediation Type=\"Vendor Fix\">");
        xml.element("vuln:Description", &record.solution);
        xml.raw("</vuln:Remediation></vuln:Remediations>");
    }
    xml.raw("</vuln:Vulnerability>\n");
}

fn score_set(xml: &mut Xml, version: &str, score: &Score) {
    if let Score::Scored { vector, .. } = score {
        xml.open(&format!("vuln:ScoreSet{version}"));
        xml.element(
            &format!("vuln:BaseScore{version}"),
            &format!("{:.1}", score.base()),
        );
        xml.element(&format!("vuln:Vector{version}"), vector);
        xml.close(&format!("vuln:ScoreSet{version}"));
    }
}
