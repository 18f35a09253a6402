//! Reads fields of a record through their aliases: the best of several values, and
//! what is left of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::rules::ParserRules;
use super::tree::{NamedValue, XmlNode};
use super::values::{is_absent, shortened};
use crate::config::AliasField;
use crate::model::beginning;

/// How much of a value that is not understood is kept, in characters.
const LONGEST_UNRECOGNISED: usize = 200;

/// Reads the fields of one record.
pub(super) struct FieldReader<'m> {
    pub rules: &'m ParserRules,
    pub record: &'m XmlNode<'m>,
    pub unrecognised: BTreeMap<String, String>,
}

impl<'m> FieldReader<'m> {
    pub fn new(rules: &'m ParserRules, record: &'m XmlNode<'m>) -> Self {
        Self {
            rules,
            record,
            unrecognised: BTreeMap::new(),
        }
    }

    /// Everything that a field's names lead to, name by name.
    pub fn groups(&self, field: AliasField) -> Vec<Vec<NamedValue<'m>>> {
        self.rules.aliases.groups(self.record, field)
    }

    /// Notes texts that were present for a field and are stored nowhere else.
    pub fn keep(&mut self, field: AliasField, texts: &[&str]) {
        if texts.is_empty() {
            return;
        }
        let known = self.unrecognised.entry(field.name().to_owned());
        let known = known.or_default();
        if !known.is_empty() {
            known.push_str("; ");
        }
        known.push_str(&texts.join("; "));
        *known = beginning(known, LONGEST_UNRECOGNISED).to_owned();
    }

    /// The value that `read` understands, of the first name that leads to any. Of
    /// several the `better` one; the others, and what is not understood, are kept
    /// as unrecognised.
    pub fn read<T: PartialEq>(
        &mut self,
        field: AliasField,
        read: impl Fn(&str) -> Option<T>,
        better: fn(&T, &T) -> bool,
    ) -> Option<T> {
        let mut best: Option<(T, NamedValue<'m>)> = None;
        let mut others: Vec<NamedValue<'m>> = Vec::new();
        for group in self.groups(field) {
            if let Some((best, _)) = &best {
                // The same under another name says nothing new.
                for found in group
                    .into_iter()
                    .filter(|one| read(one.text()).as_ref() == Some(best))
                {
                    found.read();
                }
                continue;
            }
            for found in group {
                let text = found.line();
                if is_absent(&text) {
                    found.take_line();
                    continue;
                }
                match (read(&text), &best) {
                    (Some(value), Some((known, _))) if value == *known => found.take_line(),
                    (Some(value), Some((known, _))) if !better(&value, known) => others.push(found),
                    (Some(value), _) => {
                        found.take_line();
                        others.extend(best.replace((value, found)).map(|(_, found)| found));
                    }
                    (None, _) => others.push(found),
                }
            }
        }
        // Of several that mean nothing the first shows enough under the name of the field.
        let shown = if best.is_some() { others.len() } else { 1 };
        let shown = &others[..shown.min(others.len())];
        for found in shown {
            found.take_line();
        }
        let texts: Vec<Cow<'m, str>> = shown.iter().map(|found| found.line()).collect();
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        self.keep(field, &texts);
        best.map(|(value, _)| value)
    }

    /// A text that may be long, of the first name that leads to any.
    pub fn text(&mut self, field: AliasField) -> Option<String> {
        let mut texts: Vec<Cow<'m, str>> = Vec::new();
        for group in self.groups(field) {
            if let Some(first) = texts.first() {
                let same = group.into_iter().filter(|one| one.text() == &**first);
                same.for_each(|one| {
                    one.read();
                });
                continue;
            }
            for found in group {
                let text = found.whole_text();
                if !text.is_empty() && !texts.contains(&text) {
                    texts.push(text);
                }
            }
        }
        let mut texts = texts.into_iter();
        let first = texts.next();
        let others: Vec<Cow<'m, str>> = texts.collect();
        let others: Vec<&str> = others.iter().map(|text| &**text).collect();
        self.keep(field, &others);
        first.map(Cow::into_owned)
    }

    /// A text of one line.
    pub fn line(&mut self, field: AliasField) -> Option<String> {
        self.text(field).map(|text| shortened(&text))
    }
}
