use super::super::Profile;
use super::{only, split};
use crate::model::{Advisory, AttackVector, Cvss, Product, Reference, parse_time};

const JSON_NAMES: &str = "<advisories><advisory><id>300001</id><advisory_identifier>SA90001</advisory_identifier>\
<title>Ponto Mail &lt;Server&gt; Ümlaut</title><released>2026-03-01T13:35:05Z</released>\
<modified_date>2026-03-02T13:35:05+01:00</modified_date><criticality>2</criticality>\
<criticality_description>Highly critical</criticality_description><where>1</where>\
<solution_status>2</solution_status><impact><item><id>9</id><name>Cross Site Scripting</name></item>\
<item><id>2</id><name>DoS</name></item></impact><is_zero_day>true</is_zero_day><type>0</type>\
<cvss_score>0.0</cvss_score><cvss_vector/><cvss3_score>6.1</cvss3_score><cvss3_vector>CVSS:3.1/AV:N</cvss3_vector>\
<cvss4_score>7.0</cvss4_score><cvss4_vector>CVSS:4.0/AV:N</cvss4_vector><threat_score>12</threat_score>\
<description>First line.&#13;\nSecond.\r\nThird.</description><solution><![CDATA[Update to <2.0>.]]></solution>\
<vulnerabilities><vulnerability><cve>cve-2026-1001</cve><cve_info><cvss3_score>9.9</cvss3_score></cve_info></vulnerability></vulnerabilities>\
<cve_str_list>CVE-2026-1001 CVE-2026-1002</cve_str_list>\
<products><product><id>77</id><name>Ponto Mail 1.x</name><is_os>false</is_os><cpes><cpe><name>cpe:/a:ponto:mail:1</name></cpe></cpes></product></products>\
<references><reference><ordinal>1</ordinal><url>https://example.com/a?x=1&amp;y=2</url><description>Vendor</description></reference></references>\
<custom_info><description>other</description></custom_info>\
<related><advisory><advisory_identifier>SA5</advisory_identifier><provided_by>x</provided_by></advisory></related></advisory></advisories>";

const DRF: &str = "<root><list-item><id>300001</id><advisory_identifier>SA90001</advisory_identifier>\
<title>Ponto Mail &lt;Server&gt; Ümlaut</title><released>2026-03-01T13:35:05Z</released>\
<modified_date>2026-03-02T12:35:05Z</modified_date><criticality>2</criticality><where>1</where>\
<where_description>From remote</where_description><solution_status>2</solution_status>\
<impact><list-item><id>2</id><name>DoS</name></list-item><list-item><id>9</id><name>Cross Site Scripting</name></list-item></impact>\
<is_zero_day>True</is_zero_day><type>0</type><cvss_score>0</cvss_score><cvss_vector></cvss_vector>\
<cvss3_info><cvss_base_score>6.1</cvss_base_score><cvss_vector>CVSS:3.1/AV:N</cvss_vector></cvss3_info><cvss3_score></cvss3_score>\
<cvss4_score>7</cvss4_score><cvss4_vector>CVSS:4.0/AV:N</cvss4_vector><threat_score>12.0</threat_score>\
<description>First line.\r\nSecond.\r\nThird.</description><solution>Update to &lt;2.0&gt;.</solution>\
<vulnerabilities><list-item><cve>CVE-2026-1001</cve><title>CVE-2026-9999</title></list-item><list-item><cve>CVE-2026-1002</cve></list-item></vulnerabilities>\
<products><list-item><id>77</id><name>Ponto Mail 1.x</name><is_os>False</is_os><cpes><list-item><name>cpe:/a:ponto:mail:1</name><nvd_id>1</nvd_id></list-item></cpes></list-item></products>\
<references><list-item><description>Vendor</description><ordinal>1</ordinal><url>https://example.com/a?x=1&amp;y=2</url></list-item></references>\
<custom_info><related_tickets></related_tickets></custom_info></list-item></root>";

const ATTRIBUTES: &str = "<f:feed xmlns:f='urn:x' xmlns='urn:y'>\
<adv said='SA90001' id=\"300001\" released='2026-03-01T13:35:05Z' modified='2026-03-02T12:35:05Z' criticality='Highly critical' \
where='From remote' solution_status='Vendor Patched' impact='Cross Site Scripting, DoS' zero_day='1' threat-score='12' cvss3='6.1' cvss3_vector='CVSS:3.1/AV:N'>\
<title>Ponto Mail &lt;Server&gt; &#220;mlaut</title><cvss version='4.0' score='7.0' vector='CVSS:4.0/AV:N'/>\
<summary><![CDATA[First line.\r\nSecond.\nThird.]]></summary><solution>Update to &lt;2.0>.</solution>\
<product id='77' name='Ponto Mail 1.x' os='no'><cpe>cpe:/a:ponto:mail:1</cpe></product>\
<cve id='CVE-2026-1001'/><cve id='CVE-2026-1002'/><ref url='https://example.com/a?x=1&amp;y=2'>Vendor</ref></adv></f:feed>";

const CVRF: &str = "<c:docs xmlns:c='urn:x'><c:cvrfdoc xmlns='urn:y'><c:DocumentTitle>Ponto Mail &lt;Server&gt; Ümlaut</c:DocumentTitle>\
<c:DocumentTracking><c:Identification><c:ID>SA90001</c:ID></c:Identification><c:InitialReleaseDate>2026-03-01T13:35:05Z</c:InitialReleaseDate>\
<c:CurrentReleaseDate>2026-03-02T12:35:05Z</c:CurrentReleaseDate></c:DocumentTracking>\
<DocumentNotes><Note Type='Summary' Ordinal='1'>First line.\nSecond.\nThird.</Note><Note Type='Legal Disclaimer'>No.</Note></DocumentNotes>\
<AggregateSeverity>Highly critical</AggregateSeverity>\
<DocumentReferences><Reference Type='Self'><URL>https://example.com/a?x=1&amp;y=2</URL><Description>Vendor</Description></Reference></DocumentReferences>\
<ProductTree><Branch Name='Ponto'><FullProductName ProductID='77' CPE='cpe:/a:ponto:mail:1'>Ponto Mail 1.x</FullProductName></Branch></ProductTree>\
<Vulnerability><CVE>CVE-2026-1001</CVE><CVSSScoreSets><ScoreSetV3><BaseScoreV3>3.1</BaseScoreV3><VectorV3>CVSS:3.1/AV:L</VectorV3></ScoreSetV3></CVSSScoreSets>\
<Threats><Threat Type='Impact'><Description>dos</Description></Threat></Threats><Remediations><Remediation><Description>Update to &lt;2.0&gt;.</Description></Remediation></Remediations></Vulnerability>\
<Vulnerability><CVE>CVE-2026-1002</CVE><CVSSScoreSets><ScoreSetV3><BaseScoreV3>6.1</BaseScoreV3><VectorV3>CVSS:3.1/AV:N</VectorV3></ScoreSetV3></CVSSScoreSets>\
<Threats><Threat Type='Impact'><Description>Cross Site Scripting</Description></Threat></Threats></Vulnerability></c:cvrfdoc></c:docs>";

fn scored(score: f64, vector: &str) -> Cvss {
    Cvss {
        score: Some(score),
        vector: Some(vector.to_owned()),
    }
}

fn wanted() -> Advisory {
    let text = |text: &str| Some(text.to_owned());
    Advisory {
        said: "SA90001".to_owned(),
        upstream_id: Some(300_001),
        title: text("Ponto Mail <Server> Ümlaut"),
        criticality: Some(2),
        released_at: parse_time("2026-03-01T13:35:05Z"),
        modified_at: parse_time("2026-03-02T12:35:05Z"),
        attack_vector: Some(AttackVector::Remote),
        solution_status: text("Vendor Patched"),
        impacts: vec!["Cross Site Scripting".to_owned(), "DoS".to_owned()],
        cves: vec!["CVE-2026-1001".to_owned(), "CVE-2026-1002".to_owned()],
        cvss3: scored(6.1, "CVSS:3.1/AV:N"),
        cvss4: scored(7.0, "CVSS:4.0/AV:N"),
        threat_score: Some(12.0),
        is_zero_day: Some(true),
        description: text("First line.\nSecond.\nThird."),
        solution: text("Update to <2.0>."),
        products: vec![Product {
            product_id: text("77"),
            name: "Ponto Mail 1.x".to_owned(),
            is_os: Some(false),
            cpes: vec!["cpe:/a:ponto:mail:1".to_owned()],
        }],
        references: vec![Reference {
            ordinal: 1,
            url: text("https://example.com/a?x=1&y=2"),
            description: text("Vendor"),
        }],
        ..Advisory::default()
    }
}

/// What the columns hold. What no column holds is kept, and documented.
fn columns(document: &str) -> Advisory {
    let mut advisory = only(document);
    let new: Vec<_> = advisory.unknown_fields().collect();
    assert_eq!(new, []);
    advisory.unrecognised.clear();
    advisory
}

fn profile(document: &str) -> Profile {
    split(document.as_bytes()).1.unwrap().profile
}

#[test]
fn json_names_are_read() {
    assert_eq!(columns(JSON_NAMES), wanted());
    assert_eq!(profile(JSON_NAMES), Profile::JsonNames);
}

#[test]
fn drf_lists_are_read_as_the_same_advisory() {
    assert_eq!(columns(DRF), wanted());
    assert_eq!(only(DRF).content_hash(), only(JSON_NAMES).content_hash());
    assert_eq!(profile(DRF), Profile::Drf);
}

#[test]
fn attributes_are_read_as_the_same_advisory() {
    assert_eq!(columns(ATTRIBUTES), wanted());
    assert_eq!(profile(ATTRIBUTES), Profile::Attributes);
}

#[test]
fn cvrf_is_read_as_far_as_it_says_the_same() {
    let wanted = wanted();
    let wanted = Advisory {
        upstream_id: None,
        attack_vector: None,
        solution_status: None,
        cvss4: Cvss::default(),
        threat_score: None,
        is_zero_day: None,
        products: wanted
            .products
            .iter()
            .cloned()
            .map(|product| Product {
                is_os: None,
                ..product
            })
            .collect(),
        ..wanted
    };
    assert_eq!(columns(CVRF), wanted);
    assert_eq!(profile(CVRF), Profile::Cvrf);
}

#[test]
fn products_of_relationships_and_notes_with_titles_are_kept() {
    let document = "<d><doc><DocumentTracking><Identification><ID>SA1</ID></Identification></DocumentTracking>\
        <DocumentNotes><Note Title='Topic' Type='Summary'>One.</Note><Note Title='Details' Type='General'>Two.</Note></DocumentNotes>\
        <ProductTree><FullProductName ProductID='a'>A</FullProductName><Relationship><FullProductName ProductID='a:b'>A on B</FullProductName></Relationship></ProductTree>\
        <Vulnerability><CVSSScoreSets><ScoreSet><BaseScore>high</BaseScore></ScoreSet></CVSSScoreSets></Vulnerability></doc></d>";
    let advisory = only(document);
    let names: Vec<&str> = advisory
        .products
        .iter()
        .map(|product| product.name.as_str())
        .collect();
    assert_eq!(names, ["A", "A on B"]);
    assert_eq!(
        advisory.description.as_deref(),
        Some("Topic\n\nOne.\n\nDetails\n\nTwo.")
    );
    assert_eq!(advisory.unrecognised["cvss2_score"], "high");
}
