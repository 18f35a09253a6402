//! Field aliases: the fields of an advisory and the names that upstream uses for them.
//! `[feeds.aliases]` adds to this table.

macro_rules! fields {
    ($($variant:ident $name:literal [$($alias:literal),*];)*) => {
        /// A field of an advisory to which names in a document are mapped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum AliasField { $(#[doc = concat!("`", $name, "`")] $variant),* }

        impl AliasField {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The names of all fields.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The name in `[feeds.aliases]`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The names that upstream uses, in the syntax of `[feeds.aliases]`. Of
            /// several the first that is present wins.
            pub const fn built_in(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($alias),*]),* }
            }
        }
    };
}

// The JSON names of contract §7 come first.
fields! {
    Said "said" ["advisory_identifier", "said", "identifier", "advisory_id", "secunia_id", "id",
        "DocumentTracking/Identification/ID"];
    UpstreamId "upstream_id" ["id", "upstream_id", "advisory_id", "numeric_id"];
    Title "title" ["title", "DocumentTitle", "name", "headline", "subject"];
    Criticality "criticality" ["criticality", "criticality_description", "criticality_code",
        "criticality_id", "severity", "aggregate_severity"];
    ReleasedAt "released_at" ["released", "released_at", "release_date", "released_date", "published",
        "published_at", "created", "DocumentTracking/InitialReleaseDate"];
    ModifiedAt "modified_at" ["modified_date", "modified", "modified_at", "updated", "updated_at",
        "last_modified", "revised", "DocumentTracking/CurrentReleaseDate"];
    AttackVector "attack_vector" ["where", "where_description", "attack_vector", "attack_from"];
    SolutionStatus "solution_status" ["solution_status", "solution_status_description", "solution/@status"];
    Impacts "impacts" ["impact", "impacts", "impact_description"];
    Cves "cves" ["vulnerabilities", "vulnerability", "cves", "cve", "cve_list", "cve_str_list"];
    Cvss2Score "cvss2_score" ["cvss_score", "cvss2_score", "cvss_info/cvss_base_score", "cvss2/score",
        "cvss2/base_score", "cvss2"];
    Cvss2Vector "cvss2_vector" ["cvss_vector", "cvss2_vector", "cvss_info/cvss_vector", "cvss2/vector"];
    Cvss3Score "cvss3_score" ["cvss3_score", "cvss3_info/cvss_base_score", "cvss3/score",
        "cvss3/base_score", "cvss3"];
    Cvss3Vector "cvss3_vector" ["cvss3_vector", "cvss3_info/cvss_vector", "cvss3/vector"];
    Cvss4Score "cvss4_score" ["cvss4_score", "cvss4_info/cvss_base_score", "cvss4/score",
        "cvss4/base_score", "cvss4"];
    Cvss4Vector "cvss4_vector" ["cvss4_vector", "cvss4_info/cvss_vector", "cvss4/vector"];
    ThreatScore "threat_score" ["threat_score", "threat/score"];
    IsZeroDay "is_zero_day" ["is_zero_day", "zero_day", "zeroday"];
    IsRejected "is_rejected" ["is_rejected", "rejected"];
    Type "type" ["type"];
    Description "description" ["description", "summary", "text", "body"];
    Solution "solution" ["solution", "fix", "remedy"];
    Products "products" ["products", "product", "affected_products", "affected/products",
        "affected/product", "affected", "software", "vendor/product", "vendors/vendor/product"];
    References "references" ["references", "reference", "refs", "ref", "links", "link"];
}

impl AliasField {
    /// From [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|field| field.name() == name)
    }
}
