//! Sharing the request budget of the account for commands that need no database.

use std::time::Duration;

use tokio::time::timeout;

use super::ask;
use super::fleet_instance::has_server;
use super::output::print_error;
use crate::clock::Clock;
use crate::cluster::Role;
use crate::config::{ApiToken, Config};
use crate::http::Client;
use crate::job::budget::SharedBudget;
use crate::model::BudgetKind;
use crate::startup::{self, Opened};

/// Longest wait for the database.
const DATABASE_WITHIN: Duration = Duration::from_secs(5);

/// Does `work` with requests that count for the request budget of the account, if the
/// database is in reach; `capture` and `mirror` need none.
pub(super) async fn with_shared_budget<T>(
    config: &Config,
    token: &ApiToken,
    client: &Client,
    work: impl Future<Output = T>,
) -> T {
    let joined = join(config, token, client).await;
    let done = work.await;
    if let Some((opened, budget)) = joined {
        budget.give_back().await;
        opened.close().await;
    }
    done
}

async fn join(
    config: &Config,
    token: &ApiToken,
    client: &Client,
) -> Option<(Opened, SharedBudget)> {
    if !has_database(config) {
        return None;
    }
    let sharing = startup::sharing(config, token, BudgetKind::Command);
    let joining = async {
        let opened = open(config).await?;
        let budget = startup::share(client, sharing, &opened.pool, &Clock::system()).await?;
        anyhow::Ok((opened, budget))
    };
    if let Ok(Ok(shared)) = timeout(DATABASE_WITHIN, joining).await {
        return Some(shared);
    }
    print_error("the database is not in reach: requests of other processes are not counted");
    None
}

/// The database, if it answers soon.
pub(super) async fn in_reach(config: &Config) -> Option<Opened> {
    if !has_database(config) {
        return None;
    }
    timeout(DATABASE_WITHIN, open(config)).await.ok()?.ok()
}

/// Whether there is a database; a private one is not created.
fn has_database(config: &Config) -> bool {
    config.database.url.is_some() || has_server(&config.state.dir)
}

async fn open(config: &Config) -> anyhow::Result<Opened> {
    let opened = Opened::open(config, Role::Client).await?;
    drop(ask::up_to_date(&opened).await?);
    Ok(opened)
}
