//! Gates: a response waits until a test releases it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::watch;

use super::lock::locked;

/// Places where an answer waits until a test says go, by name.
#[derive(Debug, Default)]
pub struct Gates {
    gates: Mutex<BTreeMap<String, Gate>>,
}

#[derive(Debug, Clone)]
struct Gate {
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Gates {
    fn gate(&self, name: &str) -> Gate {
        let mut gates = locked(&self.gates);
        let gate = gates.entry(name.to_owned()).or_insert_with(|| Gate {
            reached: watch::Sender::new(false),
            open: watch::Sender::new(false),
        });
        gate.clone()
    }

    /// Waits at the gate; its being reached can be awaited by others.
    pub async fn wait(&self, name: &str) {
        let gate = self.gate(name);
        gate.reached.send_replace(true);
        // The sender lives as long as `gate`: waiting cannot fail.
        let _ = gate.open.subscribe().wait_for(|open| *open).await;
    }

    /// Lets pass whoever waits there, and whoever comes.
    pub fn open(&self, name: &str) {
        self.gate(name).open.send_replace(true);
    }

    /// Waits until an answer has come to the gate.
    pub async fn reached(&self, name: &str) {
        let gate = self.gate(name);
        let _ = gate.reached.subscribe().wait_for(|reached| *reached).await;
    }
}
