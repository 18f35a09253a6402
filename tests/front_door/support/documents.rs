//! An upstream that serves documents which a test wrote, where the simulator
//! would be too orderly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Shelf = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

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
        let router = Router::new()
            .fallback(document)
            .with_state(Arc::clone(&shelf));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("its address"));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            shelf,
            base_url,
            serving,
        }
    }

    /// What the feed of a watch list is from now on.
    pub fn set(&self, list: i64, document: impl Into<Vec<u8>>) {
        let mut documents = self.shelf.lock().expect("the shelf");
        documents.insert(list.to_string(), document.into());
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn document(
    State(shelf): State<Shelf>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let list = query.get("asset_list_id").cloned().unwrap_or_default();
    let found = shelf.lock().expect("the shelf").get(&list).cloned();
    match found {
        Some(document) => ([(header::CONTENT_TYPE, "application/xml")], document).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
