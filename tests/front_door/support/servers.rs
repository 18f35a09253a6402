//! Where the servers of all tests run: not in the tests' own runtimes, so that a
//! test may wait for a command that asks one of them.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// Runs what starts a server where servers run.
pub async fn serve<T: Send + 'static>(starting: impl Future<Output = T> + Send + 'static) -> T {
    static SERVERS: OnceLock<Runtime> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime")
    });
    servers.spawn(starting).await.expect("a server")
}
