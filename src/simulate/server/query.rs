//! Query parameters and filters.

use chrono::{DateTime, Utc};
use url::form_urlencoded;

/// The query of a request: names and values as they came, in order.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

/// A value that cannot be what the name asks for.
#[derive(Debug)]
pub struct BadValue {
    /// The query parameter.
    pub name: String,
}

impl Query {
    /// Takes a query apart.
    pub fn parse(query: &str) -> Self {
        Self {
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        }
    }

    /// The last value of this name, as Django takes it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same query, with the seconds of date filters taken as milliseconds.
    pub fn in_milliseconds(&self) -> Self {
        let mut query = self.clone();
        for (name, value) in &mut query.pairs {
            if (name.ends_with("__gte") || name.ends_with("__lt"))
                && let Ok(number) = value.parse::<f64>()
            {
                *value = (number / 1000.0).to_string();
            }
        }
        query
    }

    /// The same query with another value for `name`, or without it.
    pub fn with(&self, name: &str, value: Option<&str>) -> String {
        let kept = self.pairs.iter().filter(|(key, _)| key != name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        query.finish()
    }

    /// Whether `at` lies within `<field>__gte` and `<field>__lt`, in Unix
    /// seconds. Milliseconds are just far in the future.
    pub fn window(&self, field: &str) -> Result<impl Fn(DateTime<Utc>) -> bool + use<>, BadValue> {
        let from = self.seconds(format!("{field}__gte"))?;
        let to = self.seconds(format!("{field}__lt"))?;
        Ok(move |at: DateTime<Utc>| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds fit into 53 bits for ages"
            )]
            let at = at.timestamp() as f64;
            from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
        })
    }

    fn seconds(&self, name: String) -> Result<Option<f64>, BadValue> {
        match self.get(&name).map(str::parse) {
            None => Ok(None),
            Some(Ok(seconds)) => Ok(Some(seconds)),
            Some(Err(_)) => Err(BadValue { name }),
        }
    }
}
