//! Streaming pipeline from a feed to the database: one task reads and splits the document
//! into records, two tasks store them. Reading and writing overlap in bounded memory.

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::seen::SeenRecords;
use super::store::{Chunk, StoredCounters, Writer};
use crate::http::Answer;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Run;
use crate::model::{SourceKey, Tally};
use crate::source::xml::{FeedError, ParsedDocument, ParserRules, RecordReader};

/// Tasks that store records. A third one gains nothing on two cores.
const WRITERS: usize = 2;
/// Chunks in the channel; more would only cost memory.
const WAITING_CHUNKS: usize = 1;
/// Records larger than this are read one at a time, whatever the number of feeds: a record
/// may have 16 MiB and takes several times that until it is stored.
const LARGE_RECORD_BYTES: usize = 1024 * 1024;
static LARGE_RECORDS: Semaphore = Semaphore::const_new(1);

/// Reads one document and stores its records. The counters are returned also if the
/// document turns out to be broken: complete records stay stored.
pub(crate) async fn pull_stream(
    run: &Run,
    root_element: Option<&str>,
    response: Answer,
) -> (StoredCounters, Result<ParsedDocument, Failure>) {
    let broken = CancellationToken::new();
    let (sender, receiver) = mpsc::channel(WAITING_CHUNKS);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut writers = JoinSet::new();
    let seen = Arc::new(SeenRecords::new(Arc::clone(&run.context.rules)));
    for _ in 0..WRITERS {
        let writer = Writer::new(run, Arc::clone(&seen));
        writers.spawn(store_all(writer, Arc::clone(&receiver), broken.clone()));
    }
    // Only the writers own the receiver now: when they have ended, sending fails.
    drop(receiver);

    let list = match run.source_name() {
        SourceKey::WatchList(id) => Some(*id),
        _ => None,
    };
    let reading = read(&run.context, (root_element, list), response, sender);
    let mut result = tokio::select! {
        biased;
        () = broken.cancelled() => Err(Failure::Broken("a writer failed".into())),
        outcome = reading => outcome,
    };
    let mut stored = StoredCounters::default();
    while let Some(writer) = writers.join_next().await {
        match writer {
            Ok((tally, outcome)) => {
                stored.count(tally);
                // The failure of the writer is the cause; the end of reading is a consequence.
                if let Err(failure) = outcome {
                    result = Err(failure);
                }
            }
            Err(error) => result = Err(Failure::Broken(error.to_string())),
        }
    }
    stored.sightings = seen.take();
    (stored, result)
}

/// A run with fewer different records than upstream's total count is incomplete.
pub(crate) fn check_count(document: &ParsedDocument) -> Result<(), Failure> {
    let seen = document.distinct();
    match document.claimed {
        Some(claimed) if claimed > seen => Err(Failure::Disagree {
            collection: "records",
            tries: 1,
            claimed,
            received: seen,
        }),
        _ => Ok(()),
    }
}

/// Logs elements outside records that might be records of another kind.
pub(crate) fn warn_of_ignored(source: &SourceKey, document: &ParsedDocument) {
    if !document.ignored.is_empty() {
        warn!(
            %source, ignored = ?document.ignored,
            "{source}: the feed contains elements that were not recognised as advisories: {:?}; if they are advisories, set [feeds] id_pattern or [feeds.aliases] said",
            document.ignored
        );
    }
}

/// Stores chunks until there are no more. Every record that was received completely is
/// stored, also while advisoryd is stopping.
async fn store_all(
    mut writer: Writer,
    receiver: Arc<Mutex<mpsc::Receiver<Chunk>>>,
    broken: CancellationToken,
) -> (Tally, Result<(), Failure>) {
    let outcome = async {
        loop {
            let chunk = receiver.lock().await.recv().await;
            match chunk {
                Some(chunk) => {
                    writer.add(&chunk).await?;
                    if chunk.permit.is_some() {
                        writer.flush().await?;
                    }
                }
                None => return writer.flush().await,
            }
        }
    }
    .await;
    if outcome.is_err() {
        broken.cancel();
    }
    (writer.tally, outcome)
}

/// Reads the document and sends its records to the writers in chunks.
async fn read(
    context: &Context,
    (root_element, list): (Option<&str>, Option<i64>),
    response: Answer,
    sender: mpsc::Sender<Chunk>,
) -> Result<ParsedDocument, Failure> {
    let reader = RecordReader::new(
        Arc::clone(&context.rules),
        response.charset.as_deref(),
        root_element,
    );
    let mut reading = Reading {
        reader: match list {
            Some(id) => reader.of_list(id),
            None => reader,
        },
        chunk: Chunk::default(),
        full: Vec::new(),
        records: 0,
        permit: None,
    };
    let ended = reading.read_all(context, response, &sender).await;
    let Reading {
        reader,
        mut chunk,
        mut full,
        ..
    } = reading;
    let mut push = |record: &[u8]| chunk.push(record, context.rules.fingerprint(record));
    let document = match ended {
        Ok(()) => reader.finish(&mut push).map_err(Failure::from),
        Err(failure @ Failure::Upstream(_)) => {
            // The reader may still hold whole records. That the body is cut short is said by
            // the failure.
            let _ = reader.finish(&mut push);
            Err(failure)
        }
        Err(failure) => Err(failure),
    };
    if let Err(failure @ Failure::Feed(FeedError::OtherList { .. })) = document {
        // Its records are not those of this list.
        return Err(failure);
    }
    if !chunk.is_empty() {
        full.push(chunk);
    }
    let sent = send_all(&sender, &mut full).await;
    sent.and(document)
}

struct Reading {
    reader: RecordReader,
    chunk: Chunk,
    full: Vec<Chunk>,
    records: u64,
    /// For a large record that is being read.
    permit: Option<SemaphorePermit<'static>>,
}

impl Reading {
    async fn read_all(
        &mut self,
        context: &Context,
        mut response: Answer,
        sender: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        loop {
            let Some(piece) = context.or_stopped(response.body.chunk()).await?? else {
                return Ok(());
            };
            let before = self.records;
            self.push(&piece, &context.rules)?;
            context
                .progress
                .add(piece.len() as u64, self.records - before);
            self.take_turns(context).await?;
            send_all(sender, &mut self.full).await?;
        }
    }

    /// Waits until no other large record is read, if the present one is large, and passes
    /// the turn on with the chunk that holds it.
    async fn take_turns(&mut self, context: &Context) -> Result<(), Failure> {
        let is_large = self.reader.buffered() > LARGE_RECORD_BYTES;
        if is_large && self.permit.is_none() {
            let turn = context.or_stopped(LARGE_RECORDS.acquire()).await?;
            self.permit = Some(turn.map_err(|error| Failure::Broken(error.to_string()))?);
        }
        if !is_large && let Some(permit) = self.permit.take() {
            let mut chunk = std::mem::take(&mut self.chunk);
            if chunk.is_empty()
                && let Some(last) = self.full.pop()
            {
                chunk = last;
            }
            if !chunk.is_empty() {
                chunk.permit = Some(permit);
                self.full.push(chunk);
            }
        }
        Ok(())
    }

    fn push(&mut self, piece: &[u8], rules: &ParserRules) -> Result<(), Failure> {
        let Self {
            reader,
            chunk,
            full,
            records,
            ..
        } = self;
        reader.push(piece, &mut |record: &[u8]| {
            chunk.push(record, rules.fingerprint(record));
            *records += 1;
            if chunk.is_full() {
                full.push(std::mem::take(chunk));
            }
        })?;
        Ok(())
    }
}

async fn send_all(sender: &mpsc::Sender<Chunk>, full: &mut Vec<Chunk>) -> Result<(), Failure> {
    for chunk in full.drain(..) {
        if sender.send(chunk).await.is_err() {
            return Err(Failure::Broken("all writers have ended".into()));
        }
    }
    Ok(())
}
