//! The built program, run as a user runs it, and what it cost.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::Result;
use crate::figures::Pass;
use crate::place::{Database, Place};
use crate::server::Server;

/// First argument of the process that runs the program and measures it: the
/// peak memory of children is then the program's alone.
pub const MEASURE: &str = "measure-one-pass";

/// The program of this build.
pub const BUILT: &str = env!("CARGO_BIN_EXE_advisoryd");

pub struct Program<'a> {
    pub binary: &'a str,
    pub place: &'a Place,
    pub server: &'a Server,
    pub database: &'a Database,
}

impl Program<'_> {
    /// One pass over the whole feed.
    pub async fn pull(&self) -> Result<Pass> {
        let config = self.place.file("config.toml");
        std::fs::write(&config, self.configuration()?)?;
        let before = self.place.wal().await?;
        let output = Command::new(std::env::current_exe()?)
            .arg(MEASURE)
            .arg(self.binary)
            .arg("--config")
            .arg(&config)
            .args(["sync", "feeds", "--full", "--json"])
            .stderr(Stdio::inherit())
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        let figures: Vec<&str> = said.split_whitespace().collect();
        let ([wall, cpu, kib], true) = (figures.as_slice(), output.status.success()) else {
            return Err(format!("the program failed: {said}").into());
        };
        Ok(Pass {
            wall: Duration::from_micros(wall.parse()?),
            cpu: Duration::from_micros(cpu.parse()?),
            peak_memory_kib: kib.parse()?,
            wal_bytes: self.place.wal().await? - before,
        })
    }

    /// What the program is told; others may add to it.
    pub fn configuration(&self) -> Result<String> {
        let mut text = String::new();
        writeln!(
            text,
            "[upstream]\nbase_url = \"http://{}\"",
            self.server.address
        )?;
        writeln!(
            text,
            "token_file = \"{}\"",
            self.place.file("token").display()
        )?;
        writeln!(text, "[database]\nurl = \"{}\"", self.database.url)?;
        writeln!(text, "[tickets]\nenabled = false")?;
        // The bench's server has the feed alone.
        writeln!(text, "[feeds]\nsweep = false\ndetails = \"never\"")?;
        writeln!(text, "[[watch_lists]]\nid = 1\nsource = \"feed\"")?;
        Ok(text)
    }
}

/// Runs a command to its end and prints its wall time and its processor time, both in
/// microseconds, and its peak memory in KiB. What it prints itself is left out.
pub fn measure(command: &[String]) -> Result<()> {
    let [program, arguments @ ..] = command else {
        return Err("nothing to measure".into());
    };
    let begun = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .status()?;
    let wall = begun.elapsed();
    if !status.success() {
        return Err(format!("{program} ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time() + usage.system_time();
    let micros = cpu.tv_sec() * 1_000_000 + cpu.tv_usec();
    writeln!(
        std::io::stdout(),
        "{} {micros} {}",
        wall.as_micros(),
        usage.max_rss()
    )?;
    Ok(())
}
