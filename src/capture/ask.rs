//! Capture: sends the requests one by one and stores the responses.

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::response::{CapturedResponse, DataOwner};
use crate::http::{BodyType, Client, RawRequest, RawResponse, Request, Verb};
use crate::model::chain;

/// Maximum number of retries of a throttled request.
const REPEATS: u32 = 2;

/// Options of a capture.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
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
    pub wanted: CaptureOptions,
    pub(super) response: Vec<CapturedResponse>,
}

impl Asker {
    /// Without responses yet.
    pub fn new(client: Client, stop: CancellationToken, wanted: CaptureOptions) -> Self {
        Self {
            client,
            stop,
            wanted,
            response: Vec::new(),
        }
    }

    pub(super) async fn ask(
        &mut self,
        name: &str,
        request: Request,
        owner: DataOwner,
    ) -> CapturedResponse {
        self.take_raw(name, raw(request), owner).await
    }

    /// The same for requests with their own daily limit, which may be used up: the
    /// rejection is then the response, and does not delay other requests.
    pub(super) async fn ask_aside(
        &mut self,
        name: &str,
        request: Request,
        owner: DataOwner,
    ) -> CapturedResponse {
        let aside = self.client.in_the_background();
        let usual = std::mem::replace(&mut self.client, aside);
        let response = self.ask(name, request, owner).await;
        self.client = usual;
        response
    }

    /// Sends a request, and again if upstream throttled it; the throttled response
    /// is stored, too.
    pub(super) async fn take_raw(
        &mut self,
        name: &str,
        raw_request: RawRequest,
        owner: DataOwner,
    ) -> CapturedResponse {
        let mut repeats = 0;
        loop {
            let response = self.once(name, &raw_request, owner).await;
            info!(
                "{} {}: {:?}",
                response.method, response.target, response.status
            );
            let is_over_soon = response.status == Some(429) && self.client.paused_for().is_some();
            if !is_over_soon || repeats == REPEATS {
                self.response.push(response.clone());
                return response;
            }
            repeats += 1;
            let mut throttled = response;
            throttled.name = format!("{name}-throttled-{repeats}");
            self.response.push(throttled);
        }
    }

    async fn once(
        &self,
        name: &str,
        raw_request: &RawRequest,
        owner: DataOwner,
    ) -> CapturedResponse {
        let mut response = CapturedResponse::asked(
            name,
            raw_request.verb.name(),
            target(&raw_request.request),
            owner,
        );
        let asking = self
            .stop
            .run_until_cancelled(self.client.exchange_raw(raw_request));
        let Some(sight) = asking.await else {
            response.error = Some("not requested: the capture was stopped".to_owned());
            return response;
        };
        let mut sight = match sight {
            Ok(sight) => sight,
            Err(error) => {
                response.error = Some(chain(&error));
                return response;
            }
        };
        response.status = Some(sight.status);
        response.headers = std::mem::take(&mut sight.headers);
        response.date = sight.date;
        self.read(&mut sight, &mut response).await;
        response.read();
        response
    }

    /// Reads the body up to the size limit.
    async fn read(&self, sight: &mut RawResponse, response: &mut CapturedResponse) {
        loop {
            let reading = self.stop.run_until_cancelled(sight.body.chunk());
            let Some(piece) = reading.await else {
                response.error = Some("the capture was stopped".to_owned());
                response.is_cut = true;
                return;
            };
            match piece {
                Ok(Some(piece)) => {
                    let room = self.wanted.max_body - response.bytes.len();
                    response
                        .bytes
                        .extend_from_slice(&piece[..piece.len().min(room)]);
                    if piece.len() > room {
                        response.is_cut = true;
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    response.error = Some(chain(&error));
                    response.is_cut = true;
                    return;
                }
            }
        }
    }
}

pub(super) fn get(path: &str) -> Request {
    Request::new(path, BodyType::Json)
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
