//! A filter as SQL. The text consists of string literals of this file only; everything
//! that a user wrote is a bound parameter.

use chrono::{DateTime, Utc};
use sqlx::postgres::Postgres;
use sqlx::{Encode, QueryBuilder, Type};

use crate::model::filter::{
    Field, Filter, FlagField, ListField, NumberField, OrderComparison, StringComparison, Test,
    TextField, TimeField, WatchListTest,
};

/// A statement under construction. It takes text only if that is part of the program.
pub(super) struct QueryText(QueryBuilder<Postgres>);

impl QueryText {
    pub fn new(text: &'static str) -> Self {
        Self(QueryBuilder::new(text))
    }

    /// Appends text of the program.
    pub fn text(&mut self, text: &'static str) -> &mut Self {
        self.0.push(text);
        self
    }

    /// Appends a parameter.
    pub fn bind<T>(&mut self, value: T) -> &mut Self
    where
        T: for<'q> Encode<'q, Postgres> + Type<Postgres> + Send + 'static,
    {
        self.0.push_bind(value);
        self
    }

    /// The statement.
    pub fn finish(&mut self) -> &mut QueryBuilder<Postgres> {
        &mut self.0
    }

    /// Appends the condition that a row of `advisory a` matches. It is null where that
    /// is unknown.
    pub fn condition(&mut self, filter: &Filter, now: DateTime<Utc>) {
        self.part(filter, now, true);
    }

    /// `is_positive` if there is an even number of `not` around it. Then a comparison
    /// may be false instead of unknown, and can use an index.
    fn part(&mut self, filter: &Filter, now: DateTime<Utc>, is_positive: bool) {
        match filter {
            Filter::All(parts) => self.parts(parts, now, is_positive, ("true", " and ")),
            Filter::Any(parts) => self.parts(parts, now, is_positive, ("false", " or ")),
            Filter::Not(part) => {
                self.text("(not ");
                self.part(part, now, !is_positive);
                self.text(")");
            }
            Filter::Test(test) => {
                self.text("(");
                self.test(test, now, is_positive);
                self.text(")");
            }
        }
    }

    fn parts(
        &mut self,
        parts: &[Filter],
        now: DateTime<Utc>,
        is_positive: bool,
        (none, between): (&'static str, &'static str),
    ) {
        self.text("(");
        if parts.is_empty() {
            self.text(none);
        }
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text(between);
            }
            self.part(part, now, is_positive);
        }
        self.text(")");
    }

    fn test(&mut self, test: &Test, now: DateTime<Utc>, is_positive: bool) {
        match test {
            Test::Number {
                field,
                order,
                value,
            } => {
                self.text(number(*field)).text(sign(*order)).bind(*value);
            }
            Test::Time {
                field,
                order,
                value,
            } => {
                self.text(time(*field))
                    .text(sign(*order))
                    .bind(value.at(now));
            }
            Test::Text {
                field,
                comparison,
                value,
            } => {
                self.compare(string(*field), *comparison, value);
            }
            Test::List {
                field,
                comparison,
                value,
            } => {
                self.list((*field, *comparison), value, is_positive);
            }
            Test::WatchList(test) => self.watch_list(test),
            Test::Flag { field, value } => {
                self.text(flag(*field)).text(" = ").bind(*value);
            }
            Test::Words(words) => {
                self.text("advisory_text(a.title, a.description, a.solution) @@ websearch_to_tsquery('pg_catalog.english', ")
                    .bind(words.clone())
                    .text(")");
            }
            Test::IsNull(field) => self.is_null(*field),
        }
    }

    /// Compares a string without regard to the case of ASCII letters: those are the ones
    /// that the collation C knows.
    fn compare(&mut self, text: &'static str, comparison: StringComparison, value: &str) {
        match comparison {
            StringComparison::Equal => {
                self.text("lower((").text(text).text(") collate \"C\") = ");
                self.bind(value.to_owned());
            }
            StringComparison::Contains => {
                self.text("strpos(lower((")
                    .text(text)
                    .text(") collate \"C\"), ");
                self.bind(value.to_owned()).text(") > 0");
            }
        }
    }

    /// `bool_or` of no rows is null.
    fn list(
        &mut self,
        (field, comparison): (ListField, StringComparison),
        value: &str,
        is_positive: bool,
    ) {
        if field == ListField::Cve && comparison == StringComparison::Equal && is_positive {
            // CVEs are stored in upper case, and indexed.
            self.text("a.cves @> array[");
            self.bind(value.to_ascii_uppercase()).text("]");
            return;
        }
        self.text("select bool_or(");
        self.compare("v.value", comparison, value);
        self.text(")").text(values(field));
    }

    fn watch_list(&mut self, test: &WatchListTest) {
        self.text(
            "exists (
                 select
                 from sighting g
                 join source s on s.id = g.source_id
                 where g.said = a.said
                   and g.left_at is null
                   and s.kind = 'watch_list'
                   and ",
        );
        match test {
            WatchListTest::Id(id) => {
                self.text("s.watch_list_id = ").bind(*id);
            }
            WatchListTest::Name(comparison, name) => self.compare("s.name", *comparison, name),
        }
        self.text(")");
    }

    fn is_null(&mut self, field: Field) {
        match field {
            Field::Number(field) => self.text(number(field)).text(" is null"),
            Field::Time(field) => self.text(time(field)).text(" is null"),
            Field::Text(field) => self.text("(").text(string(field)).text(") is null"),
            Field::List(field) => self
                .text("not exists (select")
                .text(values(field))
                .text(")"),
            Field::Flag(field) => self.text(flag(field)).text(" is null"),
            // The parser refuses it: they are never null.
            Field::WatchList | Field::Words => self.text("false"),
        };
    }
}

fn sign(order: OrderComparison) -> &'static str {
    match order {
        OrderComparison::Equal => " = ",
        OrderComparison::Less => " < ",
        OrderComparison::LessOrEqual => " <= ",
        OrderComparison::Greater => " > ",
        OrderComparison::GreaterOrEqual => " >= ",
    }
}

fn number(field: NumberField) -> &'static str {
    match field {
        NumberField::Severity | NumberField::SeverityRank => "a.severity_rank",
        NumberField::Cvss => "coalesce(a.cvss4_score, a.cvss3_score, a.cvss2_score)",
        NumberField::Cvss2 => "a.cvss2_score",
        NumberField::Cvss3 => "a.cvss3_score",
        NumberField::Cvss4 => "a.cvss4_score",
        NumberField::ThreatScore => "a.threat_score",
        NumberField::Epss => "(select x.epss from exploitation(a.cves, 'infinity') x)",
    }
}

fn time(field: TimeField) -> &'static str {
    match field {
        TimeField::Released => "a.released_at",
        TimeField::Modified => "a.modified_at",
        TimeField::FirstSeen => "a.first_seen_at",
    }
}

fn string(field: TextField) -> &'static str {
    match field {
        TextField::Said => "a.said",
        TextField::Title => "a.title",
        TextField::AttackVector => "nullif(a.attack_vector, 'unknown')",
        TextField::SolutionStatus => "a.solution_status",
        TextField::AssignedTo => "coalesce(assignee(a.said, now()), '')",
    }
}

fn flag(field: FlagField) -> &'static str {
    match field {
        FlagField::IsZeroDay => "a.is_zero_day",
        FlagField::IsRejected => "a.is_rejected",
        FlagField::Repaired => "coalesce(a.unrecognised ? 'repaired', false)",
        FlagField::Kev => "(select x.kev from exploitation(a.cves, 'infinity') x)",
        FlagField::Ransomware => "(select x.ransomware from exploitation(a.cves, 'infinity') x)",
        FlagField::Acknowledged => "is_acknowledged(a.said, now())",
        FlagField::Assigned => "assignee(a.said, now()) is not null",
        FlagField::HasTicket => {
            "exists (select from ticket t where t.said = a.said and t.deleted_at is null)"
        }
    }
}

/// The values of a list as `from … as v (value)`.
fn values(field: ListField) -> &'static str {
    match field {
        ListField::Cve => " from unnest(a.cves) as v (value)",
        ListField::Impact => " from unnest(a.impacts) as v (value)",
        ListField::Product => {
            " from jsonb_to_recordset(a.products) as p (name text, cpes text[])
              cross join lateral unnest(array_append(p.cpes, p.name)) as v (value)"
        }
        ListField::Vendor => {
            " from jsonb_to_recordset(a.products) as p (name text, cpes text[])
              cross join lateral unnest(array_append(p.cpes, p.name)) as n (name)
              cross join lateral split_part(
                  n.name, ':', case when starts_with(n.name, 'cpe:2.3:') then 4 else 3 end) as v (value)
              where starts_with(n.name, 'cpe:')
                and v.value <> ''"
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use chrono::DateTime;

    use super::QueryText;
    use crate::model::filter::parse_filter;

    /// The text for a filter does not depend on the values in it.
    #[test]
    fn no_value_of_a_filter_is_in_the_text_of_the_statement() {
        let hostile = [
            "x'; drop table advisoryd.advisory; --",
            "$1",
            "' or true --",
            "{}",
            "\\",
            "a\u{2028}b%_",
            "'||pg_sleep(9)||'",
        ];
        let sql = |value: &str| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            let text = [
                "said =",
                "title ~",
                "product =",
                "vendor ~",
                "impact =",
                "list ~",
                "text ~",
                "cve ~",
            ]
            .map(|comparison| format!("{comparison} \"{value}\" and not {comparison} \"{value}\""))
            .join(" or ");
            let mut statement = QueryText::new("select from advisory a where ");
            statement.condition(&parse_filter(&text).unwrap(), DateTime::UNIX_EPOCH);
            statement.finish().sql().as_str().to_owned()
        };
        let wanted = sql("openssl");
        assert!(
            !wanted.contains("openssl") && wanted.contains("$16"),
            "{wanted}"
        );
        for value in hostile {
            assert_eq!(sql(value), wanted, "{value}");
        }
    }
}
