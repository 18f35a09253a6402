use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::Advisory;

use super::clock::Clock;
use super::options::Options;
use super::server::{Connection, Listening, Rule, SeenRequest, Shared, router};
use super::world::{Step, World, WorldError};

/// A running simulated upstream. It ends when this is dropped or stopped.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    addr: SocketAddr,
    tasks: TaskTracker,
    stop: CancellationToken,
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
pub async fn start(mut options: Options) -> Result<Simulator, SimulatorError> {
    let clock = Clock::starting(options.starts_at);
    let world = World::new(options.clone(), clock.now())?;
    let listen = options.listen;
    let failed = |source| SimulatorError::Listen { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    options.listen = addr;
    let shared = Arc::new(Shared::new(options, clock, world));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let listening = Listening {
        listener,
        stop: stop.clone(),
    };
    let service = router(Arc::clone(&shared)).into_make_service_with_connect_info::<Connection>();
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stopped.cancelled() => {}
            _ = axum::serve(listening, service) => {}
        }
    });
    Ok(Simulator {
        shared,
        addr,
        tasks,
        stop,
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
    pub fn inject(&self, rule: Rule) {
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

    /// Publishes new advisories and returns their identifiers.
    pub fn publish(&self, count: u32) -> Vec<String> {
        let mut world = self.shared.world();
        let published = world.publish(count, self.now());
        let places = published.into_iter().filter_map(|index| world.place(index));
        places.map(super::record::Place::said).collect()
    }

    /// Gives an advisory a new revision; `worse` raises its criticality by one level.
    /// `false` when there is none of this identifier.
    pub fn revise(&self, said: &str, worse: bool) -> bool {
        let mut world = self.shared.world();
        let place = world.find(said);
        place.is_some_and(|place| world.revise(place.index, worse, self.now()))
    }

    /// Withdraws an advisory. `false` when there is none of this identifier.
    pub fn reject(&self, said: &str) -> bool {
        let mut world = self.shared.world();
        let place = world.find(said);
        place.is_some_and(|place| world.reject(place.index, self.now()))
    }

    /// Puts an advisory into a further watch list without a new revision.
    /// `false` when one of them does not exist.
    pub fn join(&self, said: &str, list: i64) -> bool {
        let mut world = self.shared.world();
        let place = world.find(said);
        place.is_some_and(|place| world.join(place.index, list))
    }

    /// Adds a watch list with nothing in it and returns its number; `None` when there are 64.
    pub fn add_watch_list(&self) -> Option<i64> {
        self.shared.world().add_watch_list(self.now())
    }

    /// Adds tickets and returns their numbers.
    pub fn add_tickets(&self, count: u32) -> Vec<u64> {
        self.shared.world().add_tickets(count, self.now())
    }

    /// Changes a ticket; `false` when it does not exist.
    pub fn touch_ticket(&self, id: u64) -> bool {
        self.shared.world().touch_ticket(id, self.now())
    }

    /// Removes a ticket without a trace; `false` when it does not exist.
    pub fn remove_ticket(&self, id: u64) -> bool {
        self.shared.world().remove_ticket(id)
    }

    /// One realistic random step: something new, something revised, some tickets.
    pub fn tick(&self) -> Step {
        self.shared.world().tick(self.now())
    }

    /// Takes a step every `period`, the first after one period, until the simulator ends.
    pub fn keep_changing(&self, period: Duration) {
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        self.tasks.spawn(async move {
            while stop
                .run_until_cancelled(tokio::time::sleep(period))
                .await
                .is_some()
            {
                let now = shared.clock.now();
                shared.world().tick(now);
            }
        });
    }

    /// How many advisories a feed of `list` over `days` holds now.
    pub fn advisory_count(&self, list: i64, days: u32) -> usize {
        self.shared
            .world()
            .feed(Some(list), Some(days), self.now())
            .len()
    }

    /// The identifiers of all advisories ever in `list`, oldest first.
    pub fn saids(&self, list: i64) -> Vec<String> {
        let places = self.shared.world().feed(Some(list), None, self.now());
        places.into_iter().map(super::record::Place::said).collect()
    }

    /// The identifiers of all advisories, oldest first.
    pub fn all_saids(&self) -> Vec<String> {
        let world = self.shared.world();
        world
            .advisories()
            .iter()
            .map(|place| place.said())
            .collect()
    }

    /// The numbers of the watch lists.
    pub fn watch_lists(&self) -> Vec<i64> {
        let world = self.shared.world();
        world.watch_lists().iter().map(|list| list.id).collect()
    }

    /// What ought to be stored of an advisory read in the simulator's profile, normalised.
    pub fn expected(&self, said: &str) -> Option<Advisory> {
        let world = self.shared.world();
        let record = world.record(world.find(said)?);
        Some(record.expected(self.shared.options.profile))
    }

    /// The numbers of the tickets that exist.
    pub fn ticket_ids(&self) -> Vec<u64> {
        self.shared
            .world()
            .tickets()
            .map(|ticket| ticket.id)
            .collect()
    }

    /// A ticket as upstream sends it now.
    pub fn ticket(&self, id: u64) -> Option<Value> {
        self.shared.world().ticket_json(id)
    }
}
