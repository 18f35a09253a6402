//! Import of a saved feed document. It is stored like a pulled one but moves no cursor,
//! because the time that it covers is unknown.

use super::stream::{check_count, pull_stream, warn_of_ignored};
use crate::job::caught::caught;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{Mode, SourceKey};
use crate::source::xml::FeedError;

/// Imports the document from `reader` into the source `key`. `name` is its name in
/// messages.
pub async fn import<R>(
    context: &Context,
    key: &SourceKey,
    name: &str,
    reader: R,
) -> Result<Ran, Failure>
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
{
    let run = match run::begin(context, key, Mode::Import).await? {
        Ok(run) => run,
        Err(holder) => return Ok(Ran::Busy(holder)),
    };
    let mut work = Work::default();
    let result = caught(read(&run, name, reader, &mut work)).await;
    Ok(Ran::Ended(run.end(work, result).await?))
}

async fn read<R>(run: &Run, name: &str, reader: R, work: &mut Work) -> Result<(), Failure>
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
{
    let response = run.context.client.saved(name, reader).await?;
    let root = run.source.root_element.as_deref();
    let (stored, document) = pull_stream(run, root, response).await;
    work.tally = stored.tally;
    work.received = stored.received;
    work.accounted = Some(work.tally.seen + work.tally.quarantined);
    let document = document?;
    warn_of_ignored(run.source_name(), &document);
    work.tally.claimed = document.claimed;
    document.check_alone().map_err(|error| match error {
        FeedError::OnePage { next } => Failure::OnePageOnly { next },
        other => other.into(),
    })?;
    check_count(&document)
}
