//! An upstream whose collections a test writes row by row, and which change while their
//! pages are read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::servers::serve;

type Change = Box<dyn FnOnce(&mut Vec<Value>) + Send>;

/// What upstream has, and how it answers.
#[derive(Default)]
pub struct Shelf {
    /// The rows of each collection, in their order. `_at` is the Unix time by which they are
    /// filtered; it is not sent. Without it, that is `modified`.
    pub rows: BTreeMap<String, Vec<Value>>,
    /// The most rows of a page; 0 is no limit.
    pub cap: usize,
    /// Whether a row is also found alone, by its id.
    pub finds_one: bool,
    /// What is sent in place of a row alone: status, type and body.
    pub alone: Option<(u16, &'static str, &'static str)>,
    /// Whether filters are ignored.
    pub ignores_filters: bool,
    /// Pages that are sent as they are, for windows (true) or whole collections.
    pub fixed: BTreeMap<bool, Vec<String>>,
    /// What changes before this page of a collection is made, once; of a window or not.
    before: Option<(usize, bool, Change)>,
    /// What was asked.
    pub asked: Vec<String>,
}

/// The server.
pub struct Paged {
    shelf: Arc<Mutex<Shelf>>,
    /// For `upstream.base_url`.
    pub base_url: String,
    serving: JoinHandle<()>,
}

impl Paged {
    /// Serves nothing yet.
    pub async fn serve() -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shelf));
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

    /// What upstream has.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("the shelf")
    }

    /// What a collection has from now on.
    pub fn set(&self, path: &str, rows: Vec<Value>) {
        self.shelf().rows.insert(path.to_owned(), rows);
    }

    /// Changes the collection once, right before this page of it is made.
    pub fn change_before(
        &self,
        page: usize,
        of_window: bool,
        change: impl FnOnce(&mut Vec<Value>) + Send + 'static,
    ) {
        self.shelf().before = Some((page, of_window, Box::new(change)));
    }

    /// The ids of a collection, sorted.
    pub fn ids(&self, path: &str) -> Vec<i64> {
        let mut ids: Vec<i64> = self.shelf().rows[path]
            .iter()
            .filter_map(|row| row["id"].as_i64())
            .collect();
        ids.sort_unstable();
        ids
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(shelf): State<Arc<Mutex<Shelf>>>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
) -> Response {
    let mut shelf = shelf.lock().expect("the shelf");
    shelf.asked.push(uri.to_string());
    let path = uri.path();
    if let Some((status, kind, body)) = shelf.alone.filter(|_| !shelf.rows.contains_key(path)) {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    }
    let found = if shelf.rows.contains_key(path) {
        page(&mut shelf, path, &query)
    } else {
        shelf.finds_one.then(|| one(&shelf, path)).flatten()
    };
    let json = [(header::CONTENT_TYPE, "application/json")];
    match found {
        Some(body) => (json, body).into_response(),
        None if query.contains_key("page") => {
            let end = r#"{"detail": "Invalid page."}"#;
            (StatusCode::NOT_FOUND, json, end).into_response()
        }
        None => (StatusCode::NOT_FOUND, json, r#"{"detail": "Not found."}"#).into_response(),
    }
}

fn one(shelf: &Shelf, path: &str) -> Option<String> {
    let (collection, id) = path.trim_end_matches('/').rsplit_once('/')?;
    let rows = shelf.rows.get(&format!("{collection}/"))?;
    let row = rows
        .iter()
        .find(|row| row["advisory_identifier"] == id || row["id"].as_i64() == id.parse().ok())?;
    Some(sent(row).to_string())
}

fn page(shelf: &mut Shelf, path: &str, query: &BTreeMap<String, String>) -> Option<String> {
    let number = |name: &str| query.get(name).and_then(|value| value.parse().ok());
    let (page, size) = (
        number("page").unwrap_or(1),
        number("page_size").unwrap_or(20),
    );
    let is_window = query.keys().any(|name| name.ends_with("__lt"));
    let is_test = size == 1;
    if let Some(fixed) = shelf.fixed.get(&is_window).filter(|_| !is_test) {
        return fixed.get(page - 1).cloned();
    }
    let rows = shelf.rows.get_mut(path)?;
    let is_due = |due: &mut (usize, bool, Change)| !is_test && (due.0, due.1) == (page, is_window);
    if let Some((_, _, change)) = shelf.before.take_if(is_due) {
        change(rows);
    }
    let filters = query.iter().filter(|_| !shelf.ignores_filters);
    let bounds: Vec<(bool, i64)> = filters
        .filter(|(name, _)| name.starts_with("modified__"))
        .map(|(name, value)| (name.ends_with("gte"), value.parse().expect("a time")))
        .collect();
    let is_inside = |row: &&Value| {
        let at = row["_at"].as_i64().or_else(|| {
            let text = row["modified"].as_str().or(row["modified_date"].as_str());
            Some(DateTime::parse_from_rfc3339(text?).ok()?.timestamp())
        });
        let is_in = |(is_from, bound): &(bool, i64)| at.is_none_or(|at| (at >= *bound) == *is_from);
        bounds.iter().all(is_in)
    };
    let rows: Vec<Value> = rows.iter().filter(is_inside).map(sent).collect();
    let size = if shelf.cap == 0 {
        size
    } else {
        size.min(shelf.cap)
    };
    let on_page: Vec<&Value> = rows.iter().skip((page - 1) * size).take(size).collect();
    if page > 1 && on_page.is_empty() {
        return None;
    }
    let next = (page * size < rows.len()).then(|| {
        let mut query = query.clone();
        query.insert("page".to_owned(), (page + 1).to_string());
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{path}?{}", query.join("&"))
    });
    Some(
        json!({"count": rows.len(), "next": next, "previous": null, "results": on_page})
            .to_string(),
    )
}

fn sent(row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(fields) = row.as_object_mut() {
        fields.remove("_at");
    }
    row
}
