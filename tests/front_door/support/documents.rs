//! An upstream that serves documents which a test wrote, where the simulator
//! would be too orderly.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::servers::serve;
use super::world::World;

#[derive(Clone, Default)]
struct Shelf {
    documents: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// A header of the first page of feeds.
    header: Arc<Mutex<Option<Header>>>,
    /// What is answered at a path: a status, a header and a body of JSON.
    answers: Arc<Mutex<BTreeMap<String, Given>>>,
    asked: Arc<AtomicUsize>,
}

type Header = (HeaderName, HeaderValue);
type Given = (u16, Header, String);

/// One document per watch list.
pub struct Documents {
    shelf: Shelf,
    /// For `upstream.base_url`.
    pub base_url: String,
    serving: JoinHandle<()>,
}

impl Documents {
    /// Serves no document yet.
    pub async fn serve() -> Self {
        let shelf = Shelf::default();
        let router = Router::new().fallback(document).with_state(shelf.clone());
        let (base_url, serving) = serve(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let base_url = format!("http://{}", listener.local_addr().expect("its address"));
            let serving = tokio::spawn(async move {
                axum::serve(listener, router).await.expect("it serves");
            });
            (base_url, serving)
        })
        .await;
        Self {
            shelf,
            base_url,
            serving,
        }
    }

    /// What the feed of a watch list is from now on.
    pub fn set(&self, list: i64, document: impl Into<Vec<u8>>) {
        let mut documents = self.shelf.documents.lock().expect("the shelf");
        documents.insert(list.to_string(), document.into());
    }

    /// A header of the first page of every feed from now on.
    pub fn set_header(&self, name: HeaderName, value: &str) {
        let value = value.parse().expect("a header");
        *self.shelf.header.lock().expect("the shelf") = Some((name, value));
    }

    /// What is served at a path from now on, as JSON.
    pub fn set_json(&self, path: &str, value: &Value) {
        let mut documents = self.shelf.documents.lock().expect("the shelf");
        documents.insert(path.to_owned(), value.to_string().into_bytes());
    }

    /// What is answered at a path from now on, with a header.
    pub fn set_answer(
        &self,
        path: &str,
        status: u16,
        (name, value): (HeaderName, &str),
        body: &Value,
    ) {
        let header = (name, value.parse().expect("a header"));
        let mut answers = self.shelf.answers.lock().expect("the shelf");
        answers.insert(path.to_owned(), (status, header, body.to_string()));
    }

    /// What a further page of a feed is, which `?page=` asks for.
    pub fn set_page(&self, list: &str, page: u32, document: impl Into<Vec<u8>>) {
        let mut documents = self.shelf.documents.lock().expect("the shelf");
        documents.insert(format!("{list} page {page}"), document.into());
    }

    /// The same with a text that is not valid JSON, or not only.
    pub fn set_text(&self, path: &str, text: &str) {
        let mut documents = self.shelf.documents.lock().expect("the shelf");
        documents.insert(path.to_owned(), text.as_bytes().to_vec());
    }

    /// The same with bytes that are no text.
    pub fn set_bytes(&self, path: &str, bytes: &[u8]) {
        let mut documents = self.shelf.documents.lock().expect("the shelf");
        documents.insert(path.to_owned(), bytes.to_vec());
    }

    /// How many requests have come.
    pub fn asked(&self) -> usize {
        self.shelf.asked.load(Ordering::Relaxed)
    }
}

/// A world whose upstream are documents.
pub async fn world_of_documents() -> (World, Documents) {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    (world, documents)
}

/// A record with identifier, title and criticality.
pub fn record(number: usize) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T{number}</title>\
         <criticality>1</criticality></advisory>"
    )
}

impl Drop for Documents {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn document(
    State(shelf): State<Shelf>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
) -> Response {
    let answer = shelf
        .answers
        .lock()
        .expect("the shelf")
        .get(uri.path())
        .cloned();
    if let Some((status, (name, value), body)) = answer {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
            (name, value),
        ];
        return (status, headers, body).into_response();
    }
    let json = shelf
        .documents
        .lock()
        .expect("the shelf")
        .get(uri.path())
        .cloned();
    if let Some(json) = json {
        return ([(header::CONTENT_TYPE, "application/json")], json).into_response();
    }
    let list = query.get("asset_list_id").cloned().unwrap_or_default();
    shelf.asked.fetch_add(1, Ordering::Relaxed);
    let documents = shelf.documents.lock().expect("the shelf");
    let found = documents.get(&list).cloned();
    drop(documents);
    let page = query.get("page").map(|page| format!("{list} page {page}"));
    let documents = shelf.documents.lock().expect("the shelf");
    let found = match page {
        Some(page) => documents.get(&page).cloned(),
        None => found,
    };
    let set = shelf.header.lock().expect("the shelf").clone();
    match found {
        Some(document) => {
            let mut response =
                ([(header::CONTENT_TYPE, "application/xml")], document).into_response();
            if let Some((name, value)) = set.filter(|_| !query.contains_key("page")) {
                response.headers_mut().insert(name, value);
            }
            response
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
