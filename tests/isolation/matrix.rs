//! Every table × plane × command × context. `ENAMEL_GOLDEN=write` writes the golden file anew; its diff is the change of
//! permissions to be read in review. What must hold whatever the file says is asserted besides.

use super::arena::Arena;
use super::probe::{self, Line};
use super::script::{self, Target};
use super::shape::Shape;
use crate::world;
use enamel::kernel::context::Plane;
use std::fmt::Write;
use tokio_postgres::Client;

/// Planes that serve sign-in, jobs and the installation see the logins of all: nobody's request runs on them.
const SERVERS: [Plane; 3] = [Plane::Auth, Plane::Jobs, Plane::Platform];

/// What no golden file may weaken: nothing of a stranger to the caller is ever in an answer.
fn must_not_see(line: &Line, shape: &Shape) -> Vec<String> {
    let one: &[&str] = match line.plane {
        _ if shape.catalogue && !shape.has("tenant_id") => return Vec::new(),
        Plane::Staff | Plane::Jobs | Plane::Auth | Plane::Platform => &["south.", "oak.", "dso."],
        Plane::Group => &["oak.", "platform."],
        Plane::Patient => &["south.", "dso.", "platform."],
        Plane::Share => &["south.", "oak.", "dso.", "platform."],
        Plane::Audit => &["south.", "oak.", "dso."],
    };
    let own = line.text.split(" sibling ").next().unwrap_or_default();
    let returned = line.text.split(" returning ").nth(1).and_then(|rest| rest.split(" move").next()).unwrap_or_default();
    let mut broken: Vec<String> = one
        .iter()
        .filter(|label| own.contains(**label) || returned.contains(**label))
        .filter(|label| !(shape.shared && **label == "platform."))
        .map(|label| format!("{} {} sees {label}", line.table, line.plane.word()))
        .collect();
    // Oak's own row belongs to north's patient too; the twin's never does.
    let planted = if line.plane == Plane::Patient { "twin:y" } else { "foreign:y" };
    if line.text.contains(planted) || shape.has("tenant_id") && line.text.contains("elsewhere:y") {
        broken.push(format!("{} {} writes a foreign row: {}", line.table, line.plane.word(), line.text));
    }
    broken
}

/// Logins have no tenant: for the server's own planes they are no stranger.
fn excused(line: &Line, without_tenant: bool) -> bool {
    without_tenant && SERVERS.contains(&line.plane)
}

/// The planes in their turns, for two of them changing the same rows would wait for each other.
async fn observe_all(arena: &Arena, truth: &Client, planes: &[Plane], targets: &[Target]) -> Vec<Vec<Line>> {
    let mut lines = Vec::new();
    for plane in planes {
        lines.push(probe::observe(truth, &arena.plane(*plane).await, *plane, targets).await);
    }
    lines
}

#[test]
fn every_plane_sees_and_changes_only_what_the_golden_file_says() {
    world::with(async |world| {
        let (arena, other) = (Arena::bare(world, "matrix").await, Arena::bare(world, "matrix").await);
        let truth = arena.truth().await;
        let targets = script::targets(&truth).await;
        let mut text = String::from(
            "# table plane: what it sees and may change. Made by tests/isolation/matrix.rs; read a change of it as a change of permissions.\n",
        );
        let mut broken = Vec::new();
        let (some, others) = Plane::ALL.split_at(Plane::ALL.len() / 2);
        let (lines, more) = tokio::join!(observe_all(&arena, &truth, some, &targets), observe_all(&other, &truth, others, &targets));
        for (place, line) in lines.into_iter().chain(more).flat_map(|lines| lines.into_iter().enumerate()) {
            let shape = &targets[place].shape;
            writeln!(text, "{} {}: {}", line.table, line.plane.word(), line.text).unwrap();
            if !excused(&line, !shape.has("tenant_id")) {
                broken.extend(must_not_see(&line, shape));
            }
            broken.extend(line.broken);
        }
        drop(truth);
        arena.drop().await;
        other.drop().await;
        let mut lines: Vec<&str> = text.lines().skip(1).collect();
        lines.sort_unstable();
        let text = format!("{}\n{}\n", text.lines().next().unwrap(), lines.join("\n"));
        world::golden("tests/isolation/matrix.txt", &text);
        assert!(broken.is_empty(), "{} promises broken:\n{}", broken.len(), broken.join("\n"));
    });
}
