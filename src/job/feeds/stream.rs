//! From the bytes of a feed to the database: one task reads and recognises,
//! two store, so that parsing and writing overlap in bounded memory.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::store::{Chunk, Seen, Stored, Storing};
use crate::http::Answer;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::Tally;
use crate::source::xml::{Document, RecordReader, Rules};
use crate::store::origin::Origin;

/// Tasks that store. A third one gains nothing on two cores.
const WRITERS: usize = 2;
/// Chunks that wait for a writer; more would only cost memory.
const WAITING_CHUNKS: usize = 1;

/// Reads one document to its end and stores its records. What was stored is
/// told also when the document turns out to be broken: complete records stay.
pub(crate) async fn pull_stream(
    context: &Context,
    origin: Origin,
    root_element: Option<&str>,
    answer: Answer,
) -> (Stored, Result<Document, Failure>) {
    let broken = CancellationToken::new();
    let (sender, receiver) = mpsc::channel(WAITING_CHUNKS);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut writers = JoinSet::new();
    let seen = Arc::new(Seen::default());
    for _ in 0..WRITERS {
        let storing = Storing::new(context.clone(), origin, Arc::clone(&seen));
        writers.spawn(store_all(storing, Arc::clone(&receiver), broken.clone()));
    }
    // Only the writers hold the receiver now: when they are gone, sending fails.
    drop(receiver);

    let reading = read(context, root_element, answer, sender);
    let mut result = tokio::select! {
        biased;
        () = broken.cancelled() => Err(Failure::Broken("a writer failed".into())),
        outcome = reading => outcome,
    };
    let mut stored = Stored::default();
    while let Some(writer) = writers.join_next().await {
        match writer {
            Ok((tally, outcome)) => {
                stored.count(tally);
                // What stopped a writer is the cause; that reading stopped is a consequence.
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

/// Stores chunks until there are no more. Every record that was received
/// completely is stored, also when the program is stopping.
async fn store_all(
    mut storing: Storing,
    receiver: Arc<Mutex<mpsc::Receiver<Chunk>>>,
    broken: CancellationToken,
) -> (Tally, Result<(), Failure>) {
    let outcome = async {
        loop {
            let chunk = receiver.lock().await.recv().await;
            match chunk {
                Some(chunk) => storing.take_in(&chunk).await?,
                None => return storing.store().await,
            }
        }
    }
    .await;
    if outcome.is_err() {
        broken.cancel();
    }
    (storing.tally, outcome)
}

/// Reads the document and hands its records on in chunks.
async fn read(
    context: &Context,
    root_element: Option<&str>,
    answer: Answer,
    sender: mpsc::Sender<Chunk>,
) -> Result<Document, Failure> {
    let mut reading = Reading {
        reader: RecordReader::new(
            Arc::clone(&context.rules),
            answer.charset.as_deref(),
            root_element,
        ),
        chunk: Chunk::default(),
        full: Vec::new(),
        records: 0,
    };
    let ended = reading.read_all(context, answer, &sender).await;
    let Reading {
        reader,
        mut chunk,
        mut full,
        ..
    } = reading;
    let document = match ended {
        Ok(()) => reader
            .finish(&mut |record: &[u8]| chunk.push(record, context.rules.fingerprint(record)))
            .map_err(Failure::from),
        Err(failure) => Err(failure),
    };
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
}

impl Reading {
    async fn read_all(
        &mut self,
        context: &Context,
        mut answer: Answer,
        sender: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        loop {
            let Some(piece) = context.or_stopped(answer.body.chunk()).await?? else {
                return Ok(());
            };
            let before = self.records;
            self.push(&piece, &context.rules)?;
            context
                .progress
                .add(piece.len() as u64, self.records - before);
            send_all(sender, &mut self.full).await?;
        }
    }

    fn push(&mut self, piece: &[u8], rules: &Rules) -> Result<(), Failure> {
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
            return Err(Failure::Broken("the writers are gone".into()));
        }
    }
    Ok(())
}
