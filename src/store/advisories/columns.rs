//! The columns of an advisory that are parsed from its raw text, as one list. COPY,
//! updates, replay and `show` are generated from it.

use super::cell::{Cell, Column, JsonCell};
use crate::model::{Advisory, AttackVector};

/// Passes the list to the macro `$to`, after `$arguments`. One line is a field of
/// [`Advisory`]; of each of its columns the name, the type and the value, where the
/// field's name stands for a reference to the field.
///
/// The view `advisoryd_v1.advisories` has the `plain` ones under the same names;
/// the `lists` have views of their own. The key `said` is in no list.
macro_rules! with_columns {
    ($to:ident $arguments:tt) => {
        $crate::store::advisories::columns::$to! { $arguments
            plain {
                upstream_id: "upstream_id" Int8 = *upstream_id;
                title: "title" Text = title.as_deref();
                criticality: "criticality" Int4 = *criticality;
                is_rejected: "is_rejected" Bool = Some(*is_rejected);
                released_at: "released_at" Timestamptz = *released_at;
                modified_at: "modified_at" Timestamptz = *modified_at;
                attack_vector: "attack_vector" Text = attack_vector.map(AttackVector::name);
                solution_status: "solution_status" Text = solution_status.as_deref();
                impacts: "impacts" TextArray = impacts;
                cves: "cves" TextArray = cves;
                cvss2: "cvss2_score" Float8 = cvss2.score, "cvss2_vector" Text = cvss2.vector.as_deref();
                cvss3: "cvss3_score" Float8 = cvss3.score, "cvss3_vector" Text = cvss3.vector.as_deref();
                cvss4: "cvss4_score" Float8 = cvss4.score, "cvss4_vector" Text = cvss4.vector.as_deref();
                threat_score: "threat_score" Float8 = *threat_score;
                is_zero_day: "is_zero_day" Bool = *is_zero_day;
                description: "description" Text = description.as_deref();
                solution: "solution" Text = solution.as_deref();
                unrecognised: "unrecognised" Jsonb = (!unrecognised.is_empty()).then_some(JsonCell::Texts(unrecognised));
            }
            lists {
                products: "products" Jsonb = Some(JsonCell::Products(products));
                references: "refs" Jsonb = Some(JsonCell::References(references));
            }
        }
    };
}

/// The columns of an advisory, its key first.
pub(crate) fn columns(advisory: &Advisory) -> Vec<Column<'_>> {
    with_columns!(values advisory)
}

/// Destructures the advisory: a field that is not in the list, or has no column,
/// does not compile.
macro_rules! values {
    ($advisory:ident plain { $($plain:tt)* } lists { $($lists:tt)* }) => {
        $crate::store::advisories::columns::values! { $advisory $($plain)* $($lists)* }
    };
    ($advisory:ident $($field:ident: $($name:literal $kind:ident = $value:expr),+;)*) => {{
        // Never called. A pattern would check the same, but in a macro the compiler does
        // not name the missing field.
        let _ = |said, $($field),*| Advisory { said, $($field),* };
        let (said, $($field),*) = (&$advisory.said, $(&$advisory.$field),*);
        vec![("said", Cell::Text(Some(said))), $($(($name, Cell::$kind($value))),+),*]
    }};
}

/// `with_column_names!(to (…))` passes the names of all columns to the macro `$to`
/// as literals, after `(…)`: sqlx checks only SQL that is made of literals.
macro_rules! with_column_names {
    ($to:ident $arguments:tt) => {
        $crate::store::advisories::columns::with_columns! { all_names ($to $arguments) }
    };
}

macro_rules! all_names {
    (($to:ident $arguments:tt)
     plain { $($field:ident: $($name:literal $kind:ident = $value:expr),+;)* }
     lists { $($list_field:ident: $($list:literal $list_kind:ident = $list_value:expr),+;)* }) => {
        $to! { $arguments $($($name)+)* $($($list)+)* }
    };
}

/// The same for the plain columns.
macro_rules! with_plain_names {
    ($to:ident $arguments:tt) => {
        $crate::store::advisories::columns::with_columns! { plain_names ($to $arguments) }
    };
}

macro_rules! plain_names {
    (($to:ident $arguments:tt)
     plain { $($field:ident: $($name:literal $kind:ident = $value:expr),+;)* } $($rest:tt)*) => {
        $to! { $arguments $($($name)+)* }
    };
}

pub(crate) use {
    all_names, plain_names, values, with_column_names, with_columns, with_plain_names,
};

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use serde_json::{Map, Value};

    use super::columns;
    use crate::model::sample;
    use crate::store::advisories::cell::JsonRow;

    /// For every field: the column has the value of the model's field.
    #[test]
    fn every_field_of_the_model_is_in_the_columns_of_its_name() {
        let full = sample::full();
        let Value::Object(model) = serde_json::to_value(&full).unwrap() else {
            return;
        };
        let mut wanted = Map::new();
        for (field, value) in model {
            match (field.as_str(), value) {
                ("references", value) => _ = wanted.insert("refs".to_owned(), value),
                (version @ ("cvss2" | "cvss3" | "cvss4"), Value::Object(parts)) => {
                    let named = |(part, value)| (format!("{version}_{part}"), value);
                    wanted.extend(parts.into_iter().map(named));
                }
                (_, value) => _ = wanted.insert(field, value),
            }
        }
        let row = serde_json::to_value(JsonRow(columns(&full))).unwrap();
        assert_eq!(row, Value::Object(wanted));
    }
}
