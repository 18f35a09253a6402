//! A running simulator: start and stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::SimulatedClock;
use super::options::SimulatorOptions;
use super::server::{ConnectionControl, FaultRule, Listening, SeenRequest, SharedState, router};
use super::world::{World, WorldError};

/// A running simulated upstream. It ends when this is dropped or stopped.
#[derive(Debug)]
pub struct Simulator {
    pub(super) shared: Arc<SharedState>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    addr: SocketAddr,
}

/// Why no simulator runs.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The options make no world.
    #[error("the simulated world cannot be made")]
    World(#[from] WorldError),
    /// The address is taken or not this machine's.
    #[error("cannot listen on {listen}")]
    Listen {
        /// As asked.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the world, listens and serves on tasks of the current runtime.
pub async fn start(mut options: SimulatorOptions) -> Result<Simulator, SimulatorError> {
    let clock = SimulatedClock::starting(options.starts_at);
    let world = World::new(options.clone(), clock.now())?;
    let listen = options.listen;
    let failed = |source| SimulatorError::Listen { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    options.listen = addr;
    let shared = Arc::new(SharedState::new(options, clock, world));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let listening = Listening {
        listener,
        stop: stop.clone(),
    };
    let service =
        router(Arc::clone(&shared)).into_make_service_with_connect_info::<ConnectionControl>();
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stopped.cancelled() => {}
            _ = axum::serve(listening, service) => {}
        }
    });
    Ok(Simulator {
        shared,
        tasks,
        stop,
        addr,
    })
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Simulator {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// For `upstream.base_url`; without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends every connection and frees the address.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The simulator's clock, in whole seconds.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }

    /// Lets the simulator's clock differ from this machine's by `offset`.
    pub fn set_clock(&self, offset: TimeDelta) {
        self.shared.clock.set_offset(offset);
    }

    /// Accepts this token from now on, and no other.
    pub fn set_token(&self, token: &str) {
        self.shared.set_token(token);
    }

    /// Adds a rule by which things go wrong; of several that match, the oldest strikes.
    pub fn inject(&self, rule: FaultRule) {
        self.shared.faults.inject(rule);
    }

    /// Everything goes well again. What waits or crawls already goes on doing so.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// How many strikes of the rules are still to come: 0 when a test has seen all it injected.
    pub fn faults_left(&self) -> u64 {
        self.shared.faults.left()
    }

    /// Lets go on what waits at the gate of a `Fault::Hold`, now and later.
    pub fn open(&self, gate: &str) {
        self.shared.gates.open(gate);
    }

    /// Waits until an answer has come to the gate of a `Fault::Hold`.
    pub async fn reached(&self, gate: &str) {
        self.shared.gates.reached(gate).await;
    }

    /// The requests so far, those to `/_control/` left out.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.log.all()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.log.clear();
    }
}
