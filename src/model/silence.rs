//! Silences: matchers that suppress alerts for a limited time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::filter::severity_from_name;
use super::{
    Alert, ChangeKind, ClockKind, Condition, CveNumber, Globs, LikePattern, OWN_RULE, Severity,
    Subject,
};

/// The field that a matcher of a silence compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Rule,
    What,
    Kind,
    Key,
    Severity,
    Title,
    Cve,
    Product,
    WatchList,
}

impl Field {
    const ALL: [Self; 9] = [
        Self::Rule,
        Self::What,
        Self::Kind,
        Self::Key,
        Self::Severity,
        Self::Title,
        Self::Cve,
        Self::Product,
        Self::WatchList,
    ];

    /// The name on the command line and in SQL.
    fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::What => "what",
            Self::Kind => "kind",
            Self::Key => "key",
            Self::Severity => "severity",
            Self::Title => "title",
            Self::Cve => "cve",
            Self::Product => "product",
            Self::WatchList => "watch_list",
        }
    }

    /// Compiles a pattern; `high+` is this severity and all that are worse.
    fn globs(self, pattern: &str) -> Result<Globs, String> {
        let least = pattern.strip_suffix('+').filter(|_| self == Self::Severity);
        let Some(name) = least else {
            return Globs::new(&[pattern.to_owned()]);
        };
        let least = severity_from_name(name).ok_or_else(|| {
            let known = Severity::ALL.map(Severity::name).join(", ");
            format!("unknown severity `{name}`; expected one of {known}")
        })?;
        let names = Severity::ALL.into_iter().filter(|one| *one >= least);
        let names: Vec<String> = names.map(|one| one.name().to_owned()).collect();
        Globs::new(&names)
    }

    fn from_name(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|field| field.name() == name)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                format!("unknown matcher `{name}`; expected one of {known}")
            })
    }

    /// All values that alerts can have there; `None` if they are not a closed set.
    fn known(self, names: &KnownNames) -> Option<Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let all = match self {
            Self::Rule => names
                .rules
                .iter()
                .cloned()
                .chain([OWN_RULE.to_owned()])
                .collect(),
            Self::What => {
                let kinds = ChangeKind::ALL.map(ChangeKind::name);
                let conditions = Condition::ALL.map(Condition::name);
                let clock = ClockKind::ALL.map(ClockKind::name);
                let all = kinds.iter().chain(&conditions).chain(&clock);
                all.map(ToString::to_string).collect()
            }
            Self::Kind => owned(&["advisory", "ticket", OWN_RULE]),
            Self::Severity => {
                let severities = Severity::ALL.map(Severity::name).into_iter();
                severities.chain(["unknown"]).map(str::to_owned).collect()
            }
            Self::WatchList => names.watch_lists.clone(),
            Self::Product => names.products.clone().filter(|all| !all.is_empty())?,
            Self::Key | Self::Title | Self::Cve => return None,
        };
        Some(all)
    }

    fn fits(self, globs: &Globs, rule: &str, about: &About<'_>) -> bool {
        let alert = about.alert;
        match self {
            Self::Rule => globs.fit(rule),
            Self::What => globs.fit(&alert.what),
            Self::Kind => globs.fit(&alert.kind),
            Self::Key => globs.fit(&alert.key),
            Self::Severity => globs.fit(alert.severity.as_deref().unwrap_or("unknown")),
            Self::Title => globs.fit(&alert.title),
            Self::Cve => alert.cves.iter().any(|cve| globs.fit(cve)),
            Self::Product => about.products.iter().any(|product| globs.fit(product)),
            Self::WatchList => {
                let ids = alert.watch_list_ids.iter().map(ToString::to_string);
                let names = about.watch_list_names.iter().cloned();
                ids.chain(names).any(|list| globs.fit(&list))
            }
        }
    }
}

/// What an alert is about.
struct About<'a> {
    alert: &'a Alert,
    products: &'a [String],
    watch_list_names: &'a [String],
}

/// The names that matchers are checked with.
#[derive(Debug, Clone, Default)]
pub struct KnownNames {
    /// Names of the current rules.
    pub rules: Vec<String>,
    /// Ids and names of the watch lists.
    pub watch_lists: Vec<String>,
    /// Names and CPEs of the stored products; `None` if they were not looked up.
    pub products: Option<Vec<String>>,
}

/// The patterns of a silence for fields whose values are not a closed set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredPatterns {
    /// For advisories, tickets, and what conditions are about.
    pub key: Option<LikePattern>,
    /// For titles.
    pub title: Option<LikePattern>,
    /// For CVE identifiers.
    pub cve: Option<LikePattern>,
}

/// What is stored of the fields whose values are not a closed set, as far as the patterns may
/// match it.
#[derive(Debug, Clone, Default)]
pub struct StoredTexts {
    /// Advisories, tickets, and what conditions are about.
    pub keys: Vec<String>,
    /// Titles of advisories, tickets and alerts.
    pub titles: Vec<String>,
    /// CVE identifiers.
    pub cves: Vec<String>,
}

/// A matcher.
#[derive(Debug, Clone)]
struct Compare {
    field: Field,
    /// As it was written.
    pattern: String,
    globs: Globs,
}

impl Compare {
    /// That none of the values that there are matches.
    fn nothing(&self, known: &[String]) -> String {
        let Self { field, pattern, .. } = self;
        if *field == Field::Product {
            let anywhere = Globs::new(&[format!("*{pattern}*")]);
            let is_part = anywhere.is_ok_and(|globs| known.iter().any(|one| globs.fit(one)));
            let advice = if is_part {
                format!("the pattern must match the whole name; use `product=*{pattern}*`")
            } else {
                "search with `advisoryd products WORDS`, or use --force".to_owned()
            };
            return format!("no stored product is called `{pattern}`; {advice}");
        }
        let known = match known.len() {
            0 => "there are none".to_owned(),
            _ => format!("known: {}", known.join(", ")),
        };
        format!("no `{}` matches this pattern; {known}", field.name())
    }
}

/// Whether a pattern is a CVE identifier, or could match one.
fn may_be_cve(pattern: &str) -> bool {
    const PREFIX: &str = "CVE-";
    let Some(wildcard) = pattern.find(['*', '?']) else {
        return CveNumber::parse(&pattern.to_ascii_uppercase()).is_some();
    };
    let text = pattern[..wildcard].to_ascii_uppercase();
    let length = text.len().min(PREFIX.len());
    text.get(..length) == PREFIX.get(..length)
}

/// Suppresses matching alerts for a limited time.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Row in `silence`.
    pub id: i64,
    /// When it expires.
    pub until: DateTime<Utc>,
    matchers: Vec<Compare>,
}

impl Silence {
    /// Compiles patterns ([`Globs`]) by the name of their field; the error says what was expected.
    pub fn new(
        id: i64,
        until: DateTime<Utc>,
        matchers: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        if matchers.is_empty() {
            return Err(
                "expected at least one matcher such as `rule=soc` or `key=SA12345`".to_owned(),
            );
        }
        let compiled = matchers.iter().map(|(field, pattern)| {
            let field = Field::from_name(field)?;
            Ok::<_, String>(Compare {
                field,
                globs: field.globs(pattern)?,
                pattern: pattern.clone(),
            })
        });
        Ok(Self {
            id,
            until,
            matchers: compiled.collect::<Result<_, _>>()?,
        })
    }

    /// Why no alert can match, as far as that is known: the first field whose pattern matches
    /// none of the values that there are.
    pub fn matches_nothing(&self, names: &KnownNames) -> Option<String> {
        self.matchers.iter().find_map(|one| {
            let known = one.field.known(names)?;
            let is_there = known.iter().any(|value| one.globs.fit(value));
            (!is_there).then(|| one.nothing(&known))
        })
    }

    /// The patterns for fields whose values are not a closed set: which [`StoredTexts`] are to
    /// be loaded.
    pub fn stored_patterns(&self) -> StoredPatterns {
        StoredPatterns {
            key: self.like(Field::Key),
            title: self.like(Field::Title),
            cve: self.like(Field::Cve),
        }
    }

    /// The pattern for products, if it has one.
    pub fn product_pattern(&self) -> Option<LikePattern> {
        self.like(Field::Product)
    }

    fn like(&self, field: Field) -> Option<LikePattern> {
        let mut matchers = self.matchers.iter();
        let found = matchers.find(|one| one.field == field)?;
        Some(LikePattern::of(&found.pattern))
    }

    /// A sentence for each pattern that nothing stored matches. It may match later.
    pub fn matches_nothing_yet(&self, stored: &StoredTexts) -> Vec<String> {
        let mut sentences = Vec::new();
        for Compare {
            field,
            pattern,
            globs,
        } in &self.matchers
        {
            let (values, of) = match field {
                Field::Key => (&stored.keys, "advisory or ticket"),
                Field::Title => (&stored.titles, "title"),
                Field::Cve => (&stored.cves, "CVE"),
                _ => continue,
            };
            if !values.iter().any(|value| globs.fit(value)) {
                let field = field.name();
                sentences.push(format!("`{field}={pattern}` matches no stored {of} so far"));
            }
        }
        sentences
    }

    /// The first pattern for CVEs that no CVE identifier can match.
    pub fn wrong_cve(&self) -> Option<&str> {
        let mut cves = self.matchers.iter().filter(|one| one.field == Field::Cve);
        let wrong = cves.find(|one| !may_be_cve(&one.pattern))?;
        Some(&wrong.pattern)
    }

    /// Whether it names products, which then have to be loaded.
    pub fn names_products(&self) -> bool {
        let mut matchers = self.matchers.iter();
        matchers.any(|one| one.field == Field::Product)
    }

    /// The numbers of those that match this alert of this rule.
    pub fn matching(silences: &[Self], rule: &str, alert: &Alert, subject: &Subject) -> Vec<i64> {
        let matching = silences
            .iter()
            .filter(|one| one.fits_subject(rule, alert, subject));
        matching.map(|one| one.id).collect()
    }

    /// Whether all matchers match this stored alert of this rule.
    pub fn fits(&self, rule: &str, alert: &Alert) -> bool {
        self.fits_about(
            rule,
            &About {
                alert,
                products: &alert.products,
                watch_list_names: &alert.watch_list_names,
            },
        )
    }

    /// The same for an alert that has no products and names of lists yet: all of them are
    /// those of `subject`.
    pub fn fits_subject(&self, rule: &str, alert: &Alert, subject: &Subject) -> bool {
        let advisory = subject.advisory.as_ref();
        self.fits_about(
            rule,
            &About {
                alert,
                products: advisory.map_or(&[], |advisory| &advisory.products),
                watch_list_names: &subject.watch_list_names,
            },
        )
    }

    fn fits_about(&self, rule: &str, about: &About<'_>) -> bool {
        self.matchers
            .iter()
            .all(|one| one.field.fits(&one.globs, rule, about))
    }
}
