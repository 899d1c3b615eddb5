//! `serve` starts only where it is safe, and two that migrate at once do not hurt each other.

use super::ground::{Doomed, Ground, House, socket};
use super::process::{command, run};
use super::up::refusal;
use crate::world;

/// The house's configuration with one text replaced.
async fn refused_with(house: &House, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(&house.config).unwrap();
    assert!(text.contains(from), "{from} is not in the configuration");
    let config = house.dir.join("other.toml");
    std::fs::write(&config, text.replacen(from, to, 1)).unwrap();
    refusal(run(command(["serve", "--config", config.to_str().unwrap()]), &house.dir.join(uuid::Uuid::new_v4().to_string())).await)
}

fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    line.split('"').nth(1).unwrap()
}

#[test]
fn secrets_that_protect_nothing_are_refused_and_not_repeated() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("weak").await;
        let text = std::fs::read_to_string(&house.config).unwrap();
        let (seal, envelope) = (value(&text, "seal_key").to_owned(), value(&text, "envelope_key").to_owned());
        let zeros = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [0; 32]);
        let development =
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, enamel::kernel::config::Key32::development("seal_key").expose());
        let database = value(&text, "secret").to_owned();
        for (from, to, names, why) in [
            (&seal, &zeros, "secrets.seal_key", "one byte repeated"),
            (&seal, &development, "secrets.seal_key", "development key"),
            (&envelope, &seal, "secrets.envelope_key", "same key as secrets.seal_key"),
            (&seal, &"c2hvcnQ=".to_owned(), "secrets.seal_key", "32 bytes"),
            (&database, &"change-me-change-me".to_owned(), "database.secret", "placeholder"),
            (&database, &"short-one".to_owned(), "database.secret", "shorter"),
        ] {
            let line = refused_with(&house, from, to).await;
            assert!(line.contains(names) && line.contains(why), "{line}");
            assert!(!line.contains(to.as_str()), "{line}");
        }
    });
}

#[test]
fn a_role_or_a_table_that_is_not_held_by_policies_is_refused() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("unsafe_house").await;
        let truth = house.truth().await;
        truth.batch_execute("alter table enamel.patients no force row level security").await.unwrap();
        let line = refusal(run(command(["serve", "--config", house.config.to_str().unwrap()]), &house.dir.join("unforced")).await);
        assert!(line.contains("the table patients is not under forced row-level security"), "{line}");
        truth
            .batch_execute(
                "alter table enamel.patients force row level security; create policy open_door on enamel.patients for select using (true)",
            )
            .await
            .unwrap();
        let line = refusal(run(command(["serve", "--config", house.config.to_str().unwrap()]), &house.dir.join("open")).await);
        assert!(line.contains("the table patients has a policy for everybody"), "{line}");
        truth.batch_execute("drop policy open_door on enamel.patients").await.unwrap();

        let empty = Ground::get().await.bare_house("empty_house").await;
        let line = refusal(run(command(["serve", "--config", empty.config.to_str().unwrap()]), &empty.dir.join("empty")).await);
        assert!(line.contains("run enamel migrate") || line.contains("permission denied"), "{line}");
        house.serve().await.kill_9().await;
    });
}

#[test]
fn a_database_that_is_away_is_one_line() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("away").await;
        let sockets = socket(&house.superuser);
        let line = refused_with(&house, &format!("host={sockets}"), "host=/nowhere").await;
        assert!(line.len() < 300, "{line}");
        let line = refused_with(&house, "listen = ", "lisen = ").await;
        assert!(line.contains("server.lisen"), "{line}");
    });
}

/// The roles belong to the whole cluster, so this one is not shared.
#[test]
fn a_superuser_is_refused_however_it_comes() {
    world::runtime().block_on(async {
        let Doomed { cluster: _cluster, house, .. } = Doomed::new("superuser").await;
        let password = String::from_utf8(house.superuser.get_password().unwrap().to_vec()).unwrap();
        let line = refused_with(&house, "dbname=superuser", &format!("dbname=superuser user=enamel_super password={password}")).await;
        assert!(line.contains("database.url names a user") && !line.contains(&password), "{line}");
        let truth = house.truth().await;
        for (grant, take, why) in
            [("superuser", "nosuperuser", "enamel_staff is a superuser"), ("bypassrls", "nobypassrls", "may bypass row-level security")]
        {
            truth.batch_execute(&format!("alter role enamel_staff {grant}")).await.unwrap();
            let line = refused_with(&house, "[database]", "[database]").await;
            assert!(line.contains("refusing to start") && line.contains(why), "{line}");
            truth.batch_execute(&format!("alter role enamel_staff {take}")).await.unwrap();
        }
        truth.batch_execute("grant enamel_owner to enamel_patient").await.unwrap();
        let line = refused_with(&house, "[database]", "[database]").await;
        assert!(line.contains("enamel_patient is a member of another role"), "{line}");
        truth.batch_execute("revoke enamel_owner from enamel_patient").await.unwrap();
        house.serve().await.kill_9().await;
    });
}

#[test]
fn two_that_migrate_at_once_are_safe() {
    world::runtime().block_on(async {
        let house = Ground::get().await.bare_house("both_migrate").await;
        let password = String::from_utf8(house.superuser.get_password().unwrap().to_vec()).unwrap();
        let admin = format!("host={} port=5432 dbname=both_migrate user=enamel_super password={password}", socket(&house.superuser));
        let migrate = |number: usize| {
            let mut command = command(["migrate", "--config", house.config.to_str().unwrap()]);
            command.env("ENAMEL_DATABASE__ADMIN_URL", &admin);
            let said = house.dir.join(format!("migrate-{number}"));
            async move { run(command, &said).await }
        };
        let mut ran: Vec<u32> = Vec::new();
        for ended in futures_util::future::join_all((0..3).map(migrate)).await {
            assert!(ended.status.success(), "{}", ended.said);
            ran.push(ended.said.split_whitespace().next().unwrap().parse().unwrap());
        }
        ran.sort_unstable();
        assert!(ran[0] == 0 && ran[1] == 0 && ran[2] > 0, "{ran:?}");
        let _server = house.serve().await;
        house.staff().await.patient("Migrated").await;
    });
}

/// Their databases are six, their roles the same.
#[test]
fn installations_of_one_cluster_migrate_at_once() {
    world::runtime().block_on(async {
        Ground::get().await.migrate_at_once(&["beside_1", "beside_2", "beside_3", "beside_4", "beside_5", "beside_6"]).await;
    });
}
