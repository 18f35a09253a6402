//! The ten questions that a team asks each day, with the commands that a user would type.

use std::fmt::Write as _;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;

use crate::support::settings::{Rule, Sink, WatchList};
use crate::support::{CommandResult, Receiver, Shell, World, assert_reads, small};

struct Team {
    world: World,
    shell: Shell,
    _receiver: Receiver,
    transcript: String,
}

impl Team {
    /// A world with two named lists, a rule, a chat, and news of the last hours.
    async fn new() -> Self {
        let receiver = Receiver::start().await;
        let mut options = small();
        options.advisories = 120;
        options.watch_lists = 2;
        let mut world = World::with(options).await;
        world.lists = Some(Vec::new());
        for (id, name) in (1..).zip(["Linux servers", "Office clients"]) {
            let (name, source) = (Some(name), Some("feed"));
            world.settings.watch_lists.push(WatchList {
                id,
                name,
                source,
                ..WatchList::default()
            });
        }
        world.settings.alerts.sinks.push(Sink {
            name: "soc-chat".to_owned(),
            kind: "slack",
            url: Some(receiver.url.clone()),
            allow_private: Some(true),
            ..Sink::default()
        });
        world.settings.alerts.rules.push(Rule {
            severity: Some("highly_critical"),
            sinks: &["soc-chat"],
            ..Rule::to_hook("soc", &["appeared", "escalated"])
        });
        world.pull().await;
        world.sync_tickets(TicketSync::Now).await;
        world.alert().await;
        world.simulator.publish(30);
        world.pull_back(LookBack::Full).await;
        world.alert().await;
        Self {
            world,
            shell: Shell::new(),
            _receiver: receiver,
            transcript: String::new(),
        }
    }

    /// Types a line; it ends well.
    fn types(&mut self, question: &str, line: &str) -> String {
        let result = self.tries(question, line);
        assert_eq!(result.code, 0, "{line}: {result}");
        result.stdout
    }

    fn tries(&mut self, question: &str, line: &str) -> CommandResult {
        let result = self.shell.run(line, &self.world.config_file());
        writeln!(self.transcript, "# {question}\n$ {line}\n{result}").unwrap();
        result
    }

    async fn text(&self, sql: &'static str) -> String {
        self.world.texts(sql).await.remove(0)
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn the_ten_daily_questions_are_answered_by_one_command_each() {
    let mut team = Team::new().await;
    let news = team.types(
        "What is new and critical today, for my Linux servers?",
        "advisoryd advisories --severity high+ --list 'Linux servers' --released 2h",
    );
    let count = team
        .world
        .count(
            "select count(*) from advisoryd_v1.advisories
             where severity_rank >= 4 and 1 = any(watch_list_ids) and released_at > now() - interval '2 hours'",
        )
        .await;
    assert!(count > 0);
    assert_eq!(news.lines().count(), 1 + usize::try_from(count).unwrap());

    let result = team
        .text("select key from advisoryd_v1.alerts where rule = 'soc' and state <> 'baseline' order by key limit 1")
        .await;
    let cve = team
        .text(
            "select cves[1] from advisoryd_v1.advisories
             where cves <> '{}' and cardinality(watch_list_ids) > 0 order by said limit 1",
        )
        .await;
    let page = team.types(
        "Which of my lists has this CVE?",
        &format!("advisoryd show {cve}"),
    );
    assert!(page.contains("Watch lists ("), "{page}");

    let sent = team.types(
        "Who was told of it, and when?",
        &format!("advisoryd explain {result}"),
    );
    assert!(sent.contains("soc-chat"), "{sent}");

    team.world.simulator.revise(&result, true);
    team.world.pull_back(LookBack::Full).await;
    let history = team.types(
        "What changed in it?",
        &format!("advisoryd show {result} --history | sed -n '/^History/,/^$/p'"),
    );
    assert!(history.contains("version 2"), "{history}");
    let changes = team.types(
        "What has changed today?",
        "advisoryd changes --since 1h --what escalated",
    );
    assert!(changes.contains("escalated"), "{changes}");

    let verified = team.types("Is my data complete?", "advisoryd verify");
    assert!(verified.starts_with("ok "), "{verified}");
    let fresh = team.types("Is it fresh?", "advisoryd status --check --max-age 2h");
    assert!(fresh.starts_with("OK: "), "{fresh}");

    let csv = team.types(
        "How do I get it into Excel?",
        "advisoryd advisories --severity extremely_critical --csv --bom > x.csv; head -c 3 x.csv | od -An -tx1; wc -l < x.csv",
    );
    assert!(csv.starts_with(" ef bb bf"), "{csv}");

    let preset = team.types(
        "How does an advisory become a Jira issue?",
        "advisoryd sinks preset jira | head -n 12",
    );
    assert!(preset.contains("kind = "), "{preset}");

    let chat = team.types(
        "Does the chat get our alerts?",
        "advisoryd alerts test soc-chat",
    );
    assert!(chat.contains("soc-chat"), "{chat}");
    let transcript = std::mem::take(&mut team.transcript);
    assert_reads!(transcript);
}
