//! Lines of `advisoryd changes`.

use console::style;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::list::field;
use super::output::{print_data, print_json, print_styled};
use super::times::Times;
use super::{difference, table};
use crate::model::{ChangeKind, legible, one_line};
use crate::store::change::Change;
use crate::store::reports::question::{self, FieldChange};

/// Columns of CSV, with the names of JSON.
const COLUMNS: [&str; 10] = [
    "seq",
    "at",
    "what",
    "key",
    "pretty_id",
    "title",
    "version",
    "watch_list_id",
    "watch_list",
    "kind",
];

/// Kind, key and version.
type ChangedVersion = (String, String, i32);

/// How changes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeFormat {
    Lines,
    Json,
    Csv,
}

/// A row of CSV.
fn print_row(cells: [String; COLUMNS.len()]) -> anyhow::Result<()> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    print_data(String::from_utf8(writer.into_inner()?)?.trim_end());
    Ok(())
}

/// A change as JSON, with what the version changed that it comes from.
#[derive(Serialize)]
struct ChangeObject<'a> {
    #[serde(flatten)]
    change: &'a Change,
    fields: Vec<FieldObject<'a>>,
}

/// A changed field, with the names of the view `field_changes`; of the severity, which the view
/// has as numbers, also the name.
#[derive(Serialize)]
struct FieldObject<'a> {
    field: &'a str,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
}

impl<'a> FieldObject<'a> {
    fn of(changed: &'a FieldChange) -> Self {
        Self {
            field: &changed.field,
            old: changed.old.as_ref(),
            new: changed.new.as_ref(),
        }
    }
}

/// Prints changes; what a version changed is printed once, below its first event.
pub(super) struct Printer {
    form: ChangeFormat,
    times: Times,
    /// The version that was read last, and its changes.
    read: Option<(ChangedVersion, Vec<FieldChange>)>,
}

impl Printer {
    /// With CSV, it prints the header row at once.
    pub(super) fn new(form: ChangeFormat, times: Times) -> anyhow::Result<Self> {
        if form == ChangeFormat::Csv {
            print_row(COLUMNS.map(str::to_owned))?;
        }
        Ok(Self {
            form,
            times,
            read: None,
        })
    }

    pub(super) async fn print(
        &mut self,
        connection: &mut PgConnection,
        change: &Change,
    ) -> anyhow::Result<()> {
        match self.form {
            ChangeFormat::Json => {
                let fields = if is_of_version(&change.what) {
                    self.fields(connection, change).await?.1
                } else {
                    &[]
                };
                let named: Vec<FieldChange> =
                    fields.iter().filter_map(difference::severity_of).collect();
                let fields = named.iter().chain(fields).map(FieldObject::of).collect();
                return print_json(&ChangeObject { change, fields });
            }
            ChangeFormat::Csv => {
                let document = serde_json::to_value(change)?;
                return print_row(COLUMNS.map(|name| field(name, &document[name])));
            }
            ChangeFormat::Lines => {}
        }
        print_styled(&line(change, self.times));
        if !is_of_version(&change.what) {
            return Ok(());
        }
        let times = self.times;
        let (is_first, changes) = self.fields(connection, change).await?;
        if is_first {
            let shown = changes.iter().filter(|one| one.field != "modified_at");
            for line in difference::page(shown, times) {
                print_styled(&format!("           {line}"));
            }
        }
        Ok(())
    }

    /// What the version of a change changed, and whether it is another version than that of
    /// the change before.
    async fn fields(
        &mut self,
        connection: &mut PgConnection,
        change: &Change,
    ) -> anyhow::Result<(bool, &[FieldChange])> {
        let version = (change.kind.clone(), change.key.clone(), change.version);
        let is_read = matches!(&self.read, Some((read, _)) if *read == version);
        if !is_read {
            let (kind, key, number) = (&version.0, &version.1, version.2);
            let fields = question::field_changes_of(connection, (kind, key), number).await?;
            self.read = Some((version, fields));
        }
        let fields = self.read.as_ref().map_or(&[][..], |(_, fields)| fields);
        Ok((!is_read, fields))
    }
}

/// Whether the event comes from a new version, so that its fields say what changed.
fn is_of_version(what: &str) -> bool {
    let others = [
        ChangeKind::Appeared,
        ChangeKind::JoinedWatchList,
        ChangeKind::LeftWatchList,
        ChangeKind::TicketOpened,
        ChangeKind::TicketGone,
        ChangeKind::TicketReturned,
        ChangeKind::Corrected,
    ];
    !others.iter().any(|kind| kind.name() == what)
}

fn line(change: &Change, times: Times) -> String {
    let Change {
        seq,
        at,
        key,
        version,
        what,
        title,
        ..
    } = change;
    let at = times.exact(*at);
    let key = match change.pretty_id {
        Some(number) => format!("#{number}"),
        None => key.clone(),
    };
    let list = match (change.watch_list_id, &change.watch_list) {
        (Some(id), Some(name)) if is_membership(what) => format!("{name} ({id})  "),
        (Some(id), None) if is_membership(what) => format!("watch list {id}  "),
        _ => String::new(),
    };
    let title = title.as_deref().unwrap_or_default();
    let what = style(format!("{what:<18}")).bold();
    let rest = one_line(&legible(&format!("{key} v{version}  {list}{title}")));
    // A line of the terminal each, as in tables.
    table::cut(&format!("{seq:>7}  {at}  {what} {rest}"))
}

fn is_membership(what: &str) -> bool {
    let kinds = [ChangeKind::JoinedWatchList, ChangeKind::LeftWatchList];
    kinds.iter().any(|kind| kind.name() == what)
}
