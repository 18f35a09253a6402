//! Keys that occur twice in an object of JSON. Of such a key the parser takes the last value,
//! which need not be the true one: nothing of it is believed without being reported.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Fails if an object anywhere in a text that can be parsed has a key twice.
pub(super) fn check(text: &str) -> Result<(), serde_json::Error> {
    Objects.deserialize(&mut serde_json::Deserializer::from_str(text))
}

/// The key that occurs twice in a text that can be parsed, in words.
pub(super) fn found(text: &str) -> Option<String> {
    check(text).err().map(|error| error.to_string())
}

struct Objects;

impl<'de> DeserializeSeed<'de> for Objects {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Objects {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{key}` occurs twice"
                )));
            }
            keys.insert(key);
            fields.next_value_seed(Self)?;
        }
        Ok(())
    }
}

/// The fields of an object, each as often as it occurs. Of another value there are none.
#[derive(Default)]
pub(super) struct RepeatedFields(pub Vec<(String, Box<RawValue>)>);

impl RepeatedFields {
    pub(super) fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for RepeatedFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = RepeatedFields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut fields: A,
            ) -> Result<RepeatedFields, A::Error> {
                let mut found = Vec::new();
                while let Some(field) = fields.next_entry()? {
                    found.push(field);
                }
                Ok(RepeatedFields(found))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::{RepeatedFields, check, found};

    #[test]
    fn a_key_that_occurs_twice_is_found_at_any_depth() {
        for text in [
            r#"{"id": 1, "id": 2}"#,
            r#"{"id": 1, "id": 1}"#,
            r#"{"id": 1, "i\u0064": 2}"#,
            r#"[{"a": [1.5, {"b": null, "c": "x", "b": true}]}]"#,
        ] {
            assert!(
                found(text).is_some_and(|words| words.contains("occurs twice")),
                "{text}"
            );
        }
        for text in [
            r#"{"id": 1, "other": {"id": 2, "ID": -3}}"#,
            r#"[{"id": 1}, {"id": 1}]"#,
            "17",
            "\"x\"",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
        let fields = RepeatedFields::of(r#"{"error": "x", "error": null}"#).0;
        assert_eq!(fields.len(), 2);
        assert!(RepeatedFields::of("[1]").0.is_empty() && RepeatedFields::of("1").0.is_empty());
    }
}
