//! Shares the request budget of an account with other processes.

mod owner;
mod sharing;
mod take;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::timeout;

use self::owner::BudgetOwner;
pub use self::sharing::Sharing;
pub use self::take::{BudgetGrant, take};
use crate::http::Permits;

/// Longest time to give back what is left.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(2);

/// The task that shares the budget. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedBudget {
    account: Option<String>,
    stop: watch::Sender<bool>,
    done: watch::Receiver<bool>,
}

impl SharedBudget {
    /// None: for where there is no database.
    pub fn none() -> Self {
        let (_, done) = watch::channel(true);
        Self {
            account: None,
            stop: watch::Sender::new(true),
            done,
        }
    }

    /// The account whose budget it is.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Gives back what is left. Call it when no request will be sent any more.
    pub async fn give_back(&self) {
        self.stop.send_replace(true);
        let mut done = self.done.clone();
        // An error means that the task has ended.
        let _ = timeout(GIVE_BACK_WITHIN, done.wait_for(|is_done| *is_done)).await;
    }
}

/// Begins to hand in slices; joins the budget with the first request. `used` are the
/// requests of the last day by the run log.
pub fn share(
    pool: &PgPool,
    sharing: Sharing,
    permits: Arc<Permits>,
    used: Vec<(DateTime<Utc>, u32)>,
) -> SharedBudget {
    let account = sharing.account.clone();
    let owner = BudgetOwner::new(pool.clone(), sharing, permits, used);
    let (stop, stopped) = watch::channel(false);
    let (is_done, done) = watch::channel(false);
    tokio::spawn(async move {
        owner.work(stopped).await;
        is_done.send_replace(true);
    });
    SharedBudget {
        account: Some(account),
        stop,
        done,
    }
}
