//! Stores a saved feed document: it goes the way of a pulled one, and moves no
//! window, because nobody knows what it covers.

use super::stream::pull_stream;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{Mode, SourceKey};

/// Stores the document that `reader` holds as one of the source `key`. `name`
/// is what messages call it.
pub async fn import<R>(
    context: &Context,
    key: &SourceKey,
    name: &str,
    reader: R,
) -> Result<Ran, Failure>
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
{
    let Some(run) = run::begin(context, key, Mode::Import).await? else {
        return Ok(Ran::Busy);
    };
    let mut work = Work::default();
    let result = read(&run, name, reader, &mut work).await;
    Ok(Ran::Ended(run.end(work, result).await?))
}

async fn read<R>(run: &Run, name: &str, reader: R, work: &mut Work) -> Result<(), Failure>
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
{
    let answer = run.context.client.saved(name, reader).await?;
    let root = run.source.root_element.as_deref();
    let (stored, document) = pull_stream(&run.context, run.origin, root, answer).await;
    work.tally = stored.tally;
    work.received = stored.received;
    work.accounted = Some(work.tally.seen + work.tally.quarantined);
    let document = document?;
    match document.next {
        Some(next) => Err(Failure::OnePageOnly { next }),
        None => Ok(()),
    }
}
