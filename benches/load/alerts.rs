//! How fast changes are evaluated and told, and what a long queue costs.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use advisoryd::clock::Clock;
use advisoryd::config::Config;
use advisoryd::job::alerts::evaluate::{RuleSet, evaluate};
use advisoryd::startup;
use advisoryd::store::database;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::place::{Database, Place};
use crate::program::Program;
use crate::server::Server;
use crate::{ROUNDS, Result};

const RULES: usize = 50;
/// Changes a second, and for how long.
const RATE: u32 = 100;
const SECONDS: u32 = 30;
/// How long a queue of a million is worked on.
const WORK: Duration = Duration::from_secs(20);
const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// All that is stored is looked at again, as if it had come when the rules were there.
const AGAIN: &str = "
    truncate alert, evaluation, message, delivery, delivery_attempt;
    update alerting set evaluated_seq = 0;
    update rule set after_seq = 0, baseline_matches = 0;
    update source set baseline_seq = 0;";
/// One more change of an advisory, in a transaction of its own.
const CHANGE: &str = "
    with told as (select pg_notify('advisoryd_changes', '')),
         counter as (update change_counter set last = last + 1 returning last)
    insert into change (seq, at, kind, key, version, what, watch_list_id, run_id)
    select c.last, now(), 'advisory', $1, a.version, 'revised', 1, a.run_id
    from counter c, told, advisory a
    where a.said = $1";
/// A million messages of one alert each.
const MILLION: &str = "
    truncate alert, evaluation, message, delivery, delivery_attempt;
    insert into message (id, rule, purpose, opened_at, closes_at, sealed_at, alerts)
    select gen_random_uuid(), 'told', 'alert', now(), now(), now(), 1
    from generate_series(1, 1000000);
    insert into delivery (message_id, sink, due_at) select id, 'hook', now() from message;
    insert into alert (id, rule, kind, key, version, what, at, raised_at, message_id, body)
    select id, rule, 'advisory', 'SA1', 1, 'appeared', opened_at, opened_at, id,
           jsonb_build_object('id', id, 'what', 'appeared', 'kind', 'advisory', 'key', 'SA1',
                              'version', 1, 'at', opened_at, 'resolved', false,
                              'title', repeat('title ', 20), 'summary', 'new advisory',
                              'cves', '[]'::jsonb, 'watch_list_ids', '[1]'::jsonb)
    from message;";

/// When each advisory was first told of, by its identifier.
type Told = Arc<Mutex<HashMap<String, Instant>>>;

/// Prints all figures.
pub async fn measure(place: &Place, size: usize, out: &mut impl Write) -> Result<()> {
    let documents = place.documents(size)?;
    let server = Server::start()?;
    server.serve(&documents.first);
    let database = place.database("alerts").await?;
    let program = Program {
        binary: crate::program::BUILT,
        place,
        server: &server,
        database: &database,
    };
    program.pull().await?;
    place.settle(&database).await?;
    let plain = program.configuration()?;
    evaluation(&database, &plain, size, out).await?;

    let told = Told::default();
    let url = receive(Arc::clone(&told)).await?;
    let config = place.file("alerts.toml");
    std::fs::write(place.file("secret"), SECRET)?;
    let secret = place.file("secret");
    let text = format!(
        "{plain}[schedule]\nfeeds = \"0 0 0 1 1 *\"\n[[alerts.rules]]\nname = \"told\"\non = [\"revised\"]\nsinks = [\"hook\"]\n\
         [[alerts.sinks]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"{}\"\nallow_private = true\n",
        secret.display()
    );
    std::fs::write(&config, text)?;
    let pool = database::pool(database.options.clone(), 2);
    latency(&config, &pool, &told, out).await?;
    queue(&config, &pool, &told, out).await?;
    pool.close().await;
    place.drop(database).await
}

/// Rules of the kinds that people write: half look at severity and text, some at
/// products; few match much.
fn rules() -> Result<String> {
    let mut text = String::new();
    for number in 0..RULES {
        let clause = match number % 5 {
            0 => "severity = \"extremely_critical\"\nattack_vector = [\"remote\"]".to_owned(),
            1 => format!("title = \"(?i)product {number}[0-9]\""),
            2 => format!("product = [\"*{number}7*\"]\nseverity = \"highly_critical\""),
            3 => format!("cve = [\"CVE-*-{number}1*\"]"),
            _ => "cvss3 = 9.9\nzero_day = true".to_owned(),
        };
        write!(
            text,
            "[[alerts.rules]]\nname = \"r{number}\"\non = [\"appeared\", \"revised\"]\nmissing = \"skip\"\n{clause}\n"
        )?;
    }
    Ok(text)
}

async fn evaluation(
    database: &Database,
    plain: &str,
    size: usize,
    out: &mut impl Write,
) -> Result<()> {
    let config = Config::from_text("the bench", &format!("{plain}{}", rules()?))?;
    let pool = database::pool(database.options.clone(), 4);
    let clock = Clock::system();
    startup::configure(&config, &pool, clock.now()).await?;
    let token = config.upstream.token()?;
    let stop = CancellationToken::new();
    let context = startup::context(config, token, pool.clone(), clock, stop).await?;
    for _ in 0..ROUNDS {
        sqlx::raw_sql(AGAIN).execute(&pool).await?;
        let begun = Instant::now();
        let done = evaluate(&context, &RuleSet::of(&context, false)).await?;
        writeln!(
            out,
            "{} changes by {RULES} rules, {} alerts raised: {:.2} s   goal 5 s for 100,000",
            done.changes,
            done.raised,
            begun.elapsed().as_secs_f64()
        )?;
        assert_eq!(usize::try_from(done.changes)?, size);
    }
    sqlx::raw_sql(AGAIN).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn receive(told: Told) -> Result<String> {
    let router = Router::new().fallback(take).with_state(told);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn take(State(told): State<Told>, bytes: Bytes) -> &'static str {
    let now = Instant::now();
    let message: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let (key, id) = (&message["alerts"][0]["key"], &message["id"]);
    // Of a million alike, each counts.
    let name = if key == "SA1" { id } else { key };
    if let (Some(name), Ok(mut told)) = (name.as_str(), told.lock()) {
        told.entry(name.to_owned()).or_insert(now);
    }
    "taken"
}

fn told(told: &Told) -> usize {
    told.lock().map_or(0, |told| told.len())
}

/// The daemon, killed with the value.
struct Daemon(Child);

impl Daemon {
    fn start(config: &std::path::Path) -> Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_advisoryd"))
            .arg("-q")
            .arg("--config")
            .arg(config)
            .arg("run")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    fn peak_mib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let peak = status.lines().find(|line| line.starts_with("VmHWM"));
        let kib = peak.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.ok_or("no peak of memory")?.parse::<u64>()? / 1024)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !done().await? {
        if begun.elapsed() > Duration::from_mins(2) {
            return Err(format!("waited in vain for {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// From a change's commit to the arrival of its message.
async fn latency(
    config: &std::path::Path,
    pool: &PgPool,
    heard: &Told,
    out: &mut impl Write,
) -> Result<()> {
    let daemon = Daemon::start(config)?;
    let wanted = i64::from(RATE * SECONDS);
    let saids: Vec<String> =
        sqlx::query_scalar("select said from advisoryd.advisory order by said limit $1")
            .bind(wanted)
            .fetch_all(pool)
            .await?;
    // What was stored is counted first, then the daemon is at rest.
    let counted = "select count(*) = 1 and bool_and(baseline_matches is not null)
        from advisoryd.rule where is_current and name = 'told'";
    until("the daemon", async || {
        Ok(sqlx::query_scalar(counted).fetch_one(pool).await?)
    })
    .await?;
    let mut beat = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut committed = Vec::with_capacity(saids.len());
    for said in &saids {
        beat.tick().await;
        sqlx::query(CHANGE).bind(said).execute(pool).await?;
        committed.push(Instant::now());
    }
    until("all messages", async || Ok(told(heard) >= saids.len())).await?;
    let heard = heard.lock().map_err(|_| "a receiver that panicked")?;
    let mut times: Vec<Duration> = saids
        .iter()
        .zip(committed)
        .filter_map(|(said, at)| Some(heard.get(said)?.saturating_duration_since(at)))
        .collect();
    times.sort();
    let at = |hundredth: usize| times[(times.len() * hundredth / 100).min(times.len() - 1)];
    writeln!(
        out,
        "{RATE} changes/s for {SECONDS} s, commit to arrival: median {:?}, p99 {:?}, longest {:?}   goal p99 2 s; peak {} MiB",
        at(50),
        at(99),
        at(100),
        daemon.peak_mib()?
    )?;
    Ok(())
}

/// A queue of a million.
async fn queue(
    config: &std::path::Path,
    pool: &PgPool,
    heard: &Told,
    out: &mut impl Write,
) -> Result<()> {
    sqlx::raw_sql(MILLION).execute(pool).await?;
    heard
        .lock()
        .map_err(|_| "a receiver that panicked")?
        .clear();
    let daemon = Daemon::start(config)?;
    until("the first message", async || Ok(told(heard) > 0)).await?;
    let before = told(heard);
    tokio::time::sleep(WORK).await;
    let rate = (told(heard) - before) as u64 / WORK.as_secs();
    writeln!(
        out,
        "1,000,000 deliveries waiting: {rate} messages/s, peak {} MiB",
        daemon.peak_mib()?
    )?;
    Ok(())
}
