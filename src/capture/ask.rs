//! Capture: sends the requests one by one and stores the responses.

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::taken::{Owner, Taken};
use crate::http::{Client, Kind, RawRequest, RawResponse, Request, Verb};
use crate::model::chain;

/// Maximum number of retries of a throttled request.
const REPEATS: u32 = 2;

/// Options of a capture.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Watch lists whose feeds are captured; empty: the first that upstream lists.
    pub lists: Vec<i64>,
    /// Size limit of a body in bytes, decompressed.
    pub max_body: usize,
}

/// Sends requests and stores the responses.
pub struct Asker {
    /// The HTTP client.
    pub client: Client,
    /// Stops the capture; the responses so far are kept.
    pub stop: CancellationToken,
    /// The options.
    pub wanted: Wanted,
    pub(super) taken: Vec<Taken>,
}

impl Asker {
    /// Without responses yet.
    pub fn new(client: Client, stop: CancellationToken, wanted: Wanted) -> Self {
        Self {
            client,
            stop,
            wanted,
            taken: Vec::new(),
        }
    }

    pub(super) async fn ask(&mut self, name: &str, request: Request, owner: Owner) -> Taken {
        self.take_raw(name, raw(request), owner).await
    }

    /// The same for requests with their own daily limit, which may be used up: the
    /// rejection is then the response, and does not delay other requests.
    pub(super) async fn ask_aside(&mut self, name: &str, request: Request, owner: Owner) -> Taken {
        let aside = self.client.in_the_background();
        let usual = std::mem::replace(&mut self.client, aside);
        let taken = self.ask(name, request, owner).await;
        self.client = usual;
        taken
    }

    /// Sends a request, and again if upstream throttled it; the throttled response
    /// is stored, too.
    pub(super) async fn take_raw(&mut self, name: &str, look: RawRequest, owner: Owner) -> Taken {
        let mut repeats = 0;
        loop {
            let taken = self.once(name, &look, owner).await;
            info!("{} {}: {:?}", taken.method, taken.target, taken.status);
            let is_over_soon = taken.status == Some(429) && self.client.paused_for().is_some();
            if !is_over_soon || repeats == REPEATS {
                self.taken.push(taken.clone());
                return taken;
            }
            repeats += 1;
            let mut throttled = taken;
            throttled.name = format!("{name}-throttled-{repeats}");
            self.taken.push(throttled);
        }
    }

    async fn once(&self, name: &str, look: &RawRequest, owner: Owner) -> Taken {
        let mut taken = Taken::asked(name, look.verb.name(), target(&look.request), owner);
        let asking = self
            .stop
            .run_until_cancelled(self.client.exchange_raw(look));
        let Some(sight) = asking.await else {
            taken.error = Some("not requested: the capture was stopped".to_owned());
            return taken;
        };
        let mut sight = match sight {
            Ok(sight) => sight,
            Err(error) => {
                taken.error = Some(chain(&error));
                return taken;
            }
        };
        taken.status = Some(sight.status);
        taken.headers = std::mem::take(&mut sight.headers);
        taken.date = sight.date;
        self.read(&mut sight, &mut taken).await;
        taken.read();
        taken
    }

    /// Reads the body up to the size limit.
    async fn read(&self, sight: &mut RawResponse, taken: &mut Taken) {
        loop {
            let reading = self.stop.run_until_cancelled(sight.body.chunk());
            let Some(piece) = reading.await else {
                taken.error = Some("the capture was stopped".to_owned());
                taken.is_cut = true;
                return;
            };
            match piece {
                Ok(Some(piece)) => {
                    let room = self.wanted.max_body - taken.bytes.len();
                    taken
                        .bytes
                        .extend_from_slice(&piece[..piece.len().min(room)]);
                    if piece.len() > room {
                        taken.is_cut = true;
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    taken.error = Some(chain(&error));
                    taken.is_cut = true;
                    return;
                }
            }
        }
    }
}

pub(super) fn get(path: &str) -> Request {
    Request::new(path, Kind::Json)
}

pub(super) fn raw(request: Request) -> RawRequest {
    RawRequest {
        verb: Verb::Get,
        request,
        token: None,
        follows: true,
    }
}

fn target(request: &Request) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&request.query);
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{mark}{query}", request.path)
}
