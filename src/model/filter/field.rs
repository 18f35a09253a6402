//! The fields of the filter language, and their names.

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A number, or a severity.
    Number(NumberField),
    /// A time.
    Time(TimeField),
    /// A string.
    Text(TextField),
    /// Several strings.
    List(ListField),
    /// The watch lists of the advisory.
    WatchList,
    /// Yes or no.
    Flag(FlagField),
    /// Full-text search.
    Words,
}

/// A field with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberField {
    /// Severity, by name.
    Severity,
    /// Severity, by rank.
    SeverityRank,
    /// The newest of the scores.
    Cvss,
    /// CVSS version 2 base score.
    Cvss2,
    /// CVSS version 3 base score.
    Cvss3,
    /// CVSS version 4 base score.
    Cvss4,
    /// Upstream's threat score.
    ThreatScore,
    /// EPSS score.
    Epss,
}

/// A field with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeField {
    /// First published.
    Released,
    /// Last modified, according to upstream.
    Modified,
    /// Its first version was stored.
    FirstSeen,
}

/// A field with a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// The identifier.
    Said,
    /// The title.
    Title,
    /// The attack vector, by its name in SQL.
    AttackVector,
    /// The solution status, by upstream's name.
    SolutionStatus,
    /// To whom it is assigned; empty if to nobody.
    AssignedTo,
}

/// A field with several strings. Without any it is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListField {
    /// CVE identifiers.
    Cve,
    /// Names and CPEs of products.
    Product,
    /// Vendors in the CPEs of products.
    Vendor,
    /// Impacts, by upstream's names.
    Impact,
}

/// A field with yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagField {
    /// Exploited before a fix was available.
    IsZeroDay,
    /// Withdrawn by upstream.
    IsRejected,
    /// Parsed from a damaged record.
    Repaired,
    /// One of its CVEs is known to be exploited.
    Kev,
    /// One of its CVEs is used in ransomware campaigns.
    Ransomware,
    /// Acknowledged by somebody.
    Acknowledged,
    /// Assigned to somebody.
    Assigned,
    /// There is a ticket about it.
    HasTicket,
}

/// Every field with its names, the first of which is the one in messages.
pub(super) const FIELDS: [(Field, &[&str]); 21] = [
    (Field::Text(TextField::Said), &["said", "id", "advisory"]),
    (Field::Text(TextField::Title), &["title"]),
    (Field::Number(NumberField::Severity), &["severity"]),
    (Field::Number(NumberField::SeverityRank), &["severity_rank"]),
    (Field::Number(NumberField::Cvss), &["cvss", "cvss_score"]),
    (Field::Number(NumberField::Cvss2), &["cvss2", "cvss2_score"]),
    (Field::Number(NumberField::Cvss3), &["cvss3", "cvss3_score"]),
    (Field::Number(NumberField::Cvss4), &["cvss4", "cvss4_score"]),
    (Field::Number(NumberField::ThreatScore), &["threat_score"]),
    (Field::Text(TextField::AttackVector), &["attack_vector"]),
    (Field::Text(TextField::SolutionStatus), &["solution_status"]),
    (
        Field::Flag(FlagField::IsZeroDay),
        &["is_zero_day", "zero_day"],
    ),
    (
        Field::Flag(FlagField::IsRejected),
        &["is_rejected", "rejected"],
    ),
    (Field::List(ListField::Product), &["product", "products"]),
    (Field::List(ListField::Vendor), &["vendor"]),
    (Field::List(ListField::Cve), &["cve", "cves"]),
    (Field::List(ListField::Impact), &["impact", "impacts"]),
    (Field::WatchList, &["list", "watch_list"]),
    (
        Field::Time(TimeField::Released),
        &["released", "released_at"],
    ),
    (
        Field::Time(TimeField::Modified),
        &["modified", "modified_at"],
    ),
    (
        Field::Time(TimeField::FirstSeen),
        &["first_seen", "first_seen_at"],
    ),
];
/// The fields that are in no column of the table.
pub(super) const OTHERS: [(Field, &[&str]); 9] = [
    (Field::Words, &["text"]),
    (Field::Flag(FlagField::Repaired), &["repaired"]),
    (Field::Flag(FlagField::Kev), &["kev"]),
    (Field::Flag(FlagField::Ransomware), &["ransomware"]),
    (Field::Flag(FlagField::Acknowledged), &["acknowledged"]),
    (Field::Text(TextField::AssignedTo), &["assigned_to"]),
    (Field::Flag(FlagField::Assigned), &["assigned"]),
    (Field::Flag(FlagField::HasTicket), &["has_ticket", "ticket"]),
    (Field::Number(NumberField::Epss), &["epss"]),
];

impl Field {
    /// From one of its names, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = FIELDS.iter().chain(&OTHERS);
        let is_named = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        all.find(|(_, names)| is_named(names))
            .map(|(field, _)| *field)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let mut all = FIELDS.iter().chain(&OTHERS);
        all.find(|(field, _)| *field == self)
            .and_then(|(_, names)| names.first())
            .copied()
            .unwrap_or_default()
    }

    /// The names of all fields, without their aliases.
    pub fn names() -> Vec<&'static str> {
        let all = FIELDS.iter().chain(&OTHERS);
        all.map(|(field, _)| field.name()).collect()
    }
}
