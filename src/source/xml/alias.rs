//! Aliases: which element or attribute names mean which field, as paths from the record.

use std::collections::BTreeMap;

use super::error::RulesError;
use super::name::key;
use crate::config::AliasField;

/// The way from a record to a value: elements, at the end an element or an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// Keys of the elements on the way, outermost first.
    pub parents: Vec<u64>,
    /// Key of the last name.
    pub last: u64,
    /// Written as `@name`: an element does not match.
    pub attribute_only: bool,
}

impl Path {
    fn parse(text: &str) -> Option<Self> {
        let (parents, last) = text.trim().rsplit_once('/').unwrap_or(("", text.trim()));
        let parents: Vec<&str> = match parents {
            "" => Vec::new(),
            some => some.split('/').collect(),
        };
        let (attribute_only, last) = match last.strip_prefix('@') {
            Some(name) => (true, name),
            None => (false, last),
        };
        let plain = |name: &&str| !name.is_empty() && !name.contains(['@', ' ', '<', '>']);
        if !plain(&last) || !parents.iter().all(plain) {
            return None;
        }
        Some(Self {
            parents: parents.iter().map(|name| key(name.as_bytes())).collect(),
            last: key(last.as_bytes()),
            attribute_only,
        })
    }
}

/// Which names mean which field.
#[derive(Debug, Clone)]
pub(super) struct Aliases {
    paths: Vec<Vec<Path>>,
}

impl Aliases {
    /// The built-in names, with `extra` ones before them.
    pub fn new(extra: &BTreeMap<String, Vec<String>>) -> Result<Self, RulesError> {
        let built_in = |field: &AliasField| {
            let names = field.built_in().iter();
            names.filter_map(|name| Path::parse(name)).collect()
        };
        let mut paths: Vec<Vec<Path>> = AliasField::ALL.iter().map(built_in).collect();
        for (field, names) in extra {
            let Some(known) = AliasField::from_name(field) else {
                return Err(RulesError::UnknownField {
                    field: field.clone(),
                });
            };
            let mut wanted = Vec::with_capacity(names.len());
            for alias in names {
                let path = Path::parse(alias).ok_or_else(|| RulesError::Path {
                    field: field.clone(),
                    alias: alias.clone(),
                })?;
                wanted.push(path);
            }
            let paths = &mut paths[known as usize];
            wanted.append(paths);
            *paths = wanted;
        }
        Ok(Self { paths })
    }

    /// The ways to `field`, the best first.
    pub fn of(&self, field: AliasField) -> &[Path] {
        &self.paths[field as usize]
    }

    /// Whether a name stands in a way to any field.
    pub fn mentions(&self, name: u64) -> bool {
        let mut paths = self.paths.iter().flatten();
        paths.any(|path| path.last == name || path.parents.contains(&name))
    }

    /// Whether a name directly below a record is, or begins, a way to any field.
    pub fn leads(&self, name: u64) -> bool {
        let first = |path: &Path| path.parents.first().copied().unwrap_or(path.last);
        self.paths.iter().flatten().any(|path| first(path) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Path;
    use crate::config::AliasField;

    #[test]
    fn every_built_in_alias_is_a_path_and_every_field_has_one() {
        for field in AliasField::ALL {
            assert!(!field.built_in().is_empty(), "{field:?}");
            for name in field.built_in() {
                assert!(Path::parse(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn broken_paths_are_refused() {
        for text in ["", "/", "a//b", "@", "a/@", "@a/b", "a b"] {
            assert!(Path::parse(text).is_none(), "{text}");
        }
    }
}
