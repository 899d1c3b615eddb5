//! What one plane may do with one table, tried statement by statement. The line it makes is what the golden file holds.

use super::arena::{self, Session};
use super::script::{Depth, Target, Try, Who, forged};
use enamel::kernel::context::{Context, Plane};
use futures_util::TryStreamExt;
use tokio_postgres::Client;

/// Runs each statement by itself and undoes it; says the rows it touched, or its SQLSTATE. `?` in front: the first column of its
/// row instead. `!`: only whether policies let it in; a rule of the domain speaks only to those whom they do. `~`: only what
/// somebody gets who should get nothing.
const RUNNER: &str = "
    create function probe.run(statements text[]) returns text[] language plpgsql as $$
    declare s text; answer text; n bigint; out text[] := '{}';
    begin
        foreach s in array statements loop
            begin
                if s ~ '^[~!]*[?]' then execute ltrim(s, '~!?') into answer;
                else execute ltrim(s, '~!'); get diagnostics n = row_count; answer := n; end if;
                raise exception using errcode = 'PR000', message = coalesce(answer, '');
            exception when others then answer := case sqlstate when 'PR000' then '=' || sqlerrm else sqlstate end;
            end;
            out := out || case
                when s like '!%' and answer in ('42501', '0A000') then 'n'
                when s like '!%' and answer ~ '^(=|23|EN4|55000)' then 'y'
                when s like '~%' and answer ~ '^(42501|=0?|EN4..)$' then ''
                else answer end;
        end loop;
        return out;
    end $$;
    grant usage on schema probe to public;
    grant select on probe.label to public;
    grant execute on function probe.run(text[]) to public;

    -- The same for one statement, by a superuser who takes that plane's login for it, with something changed before.
    create function probe.tried(changed text, plane text, sealed text, statement text) returns text language plpgsql as $$
    declare answer text;
    begin
        execute changed;
        perform set_config('session_authorization', plane, true), set_config('app.ctx', sealed, true);
        answer := (probe.run(array[statement]))[1];
        raise exception using errcode = 'PR001';
    exception when sqlstate 'PR001' then return answer;
    end $$;
    -- Which of the changes no statement shows, each tried as its context says.
    create function probe.unseen(changes text[], plane text, contexts text[], statements text[]) returns int[] language plpgsql as $$
    declare unseen int[] := array(select generate_subscripts(changes, 1)); alike int[]; was text; place int;
    begin
        for i in 1 .. cardinality(statements) loop
            exit when unseen = '{}';
            was := probe.tried('select', plane, contexts[i], statements[i]);
            alike := '{}';
            foreach place in array unseen loop
                if probe.tried(changes[place], plane, contexts[i], statements[i]) = was then alike := alike || place; end if;
            end loop;
            unseen := alike;
        end loop;
        return unseen;
    end $$;";

pub async fn install(client: &Client) {
    client.batch_execute(RUNNER).await.unwrap();
}

/// What was seen, to be written or compared.
pub struct Line {
    pub table: String,
    pub plane: Plane,
    pub text: String,
    /// Promises that no golden file may weaken.
    pub broken: Vec<String>,
}

/// How many statements one transaction tries.
const AT_ONCE: usize = 500;

pub async fn run(session: &Session, sealed: &str, statements: &[String]) -> Vec<String> {
    let mut answers = Vec::with_capacity(statements.len());
    for some in statements.chunks(AT_ONCE) {
        session.begin(sealed).await;
        answers.extend(session.client.query_one("select probe.run($1)", &[&some]).await.unwrap().get::<_, Vec<String>>(0));
        session.rollback().await;
    }
    answers
}

fn seen(answer: &str) -> String {
    match answer.strip_prefix('=') {
        Some(labels) => format!("[{labels}]"),
        None if answer == "42501" => "denied".into(),
        None => answer.to_owned(),
    }
}

/// The columns of each table that the plane may update.
pub async fn updatable(truth: &Client, plane: Plane, names: &[&str]) -> Vec<Vec<String>> {
    let sql = "select array(select c.attname::text from pg_attribute c where c.attrelid = ('enamel.' || t.name)::regclass and c.attnum > 0
                 and not c.attisdropped and has_column_privilege($1, c.attrelid, c.attnum, 'UPDATE') order by c.attnum)
                 from unnest($2::text[]) with ordinality t (name, place) order by place";
    let rows = truth.query(sql, &[&format!("enamel_{}", plane.word()), &names]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// All commands of one plane on these tables, context by context: one transaction a context serves every table.
pub async fn observe(truth: &Client, session: &Session, plane: Plane, targets: &[Target]) -> Vec<Line> {
    let columns = updatable(truth, plane, &targets.iter().map(Target::name).collect::<Vec<_>>()).await;
    let scripts: Vec<Vec<Try>> = targets.iter().zip(&columns).map(|(target, granted)| target.script(plane, granted, Depth::All)).collect();
    let mut answers: Vec<Vec<String>> = scripts.iter().map(|script| vec![String::new(); script.len()]).collect();
    let mut everybody: Vec<Who> = Vec::new();
    for one in scripts.iter().flatten() {
        if !everybody.contains(&one.who) {
            everybody.push(one.who);
        }
    }
    for who in everybody {
        let places = scripts.iter().enumerate().flat_map(|(target, script)| (0..script.len()).map(move |place| (target, place)));
        let places: Vec<(usize, usize)> = places.filter(|(target, place)| scripts[*target][*place].who == who).collect();
        let statements: Vec<String> = places.iter().map(|(target, place)| scripts[*target][*place].sql.clone()).collect();
        let given = run(session, &who.seal(session, plane), &statements).await;
        for ((target, place), answer) in places.into_iter().zip(given) {
            answers[target][place] = answer;
        }
    }
    let mut lines = Vec::with_capacity(targets.len());
    for (place, target) in targets.iter().enumerate() {
        let copied = copy(session, &arena::own(plane), target).await;
        let said: Said =
            &|who| scripts[place].iter().zip(&answers[place]).filter(|(one, _)| one.who == who).map(|(_, answer)| &**answer).collect();
        let text = format_line(target, &columns[place], said, &copied);
        lines.push(Line { table: target.name().to_owned(), plane, text, broken: believed(target, session, plane, said) });
    }
    lines
}

/// What somebody's statements gave, in their order.
type Said<'a> = &'a dyn Fn(Who) -> Vec<&'a str>;

/// Without a context nothing is seen and nothing done; with a false one everything is refused.
fn believed(target: &Target, session: &Session, plane: Plane, said: Said) -> Vec<String> {
    let mut broken = Vec::new();
    let mut note = |what: &str, given: Vec<&str>| broken.push(format!("{} {}: {what} gives {given:?}", target.name(), plane.word()));
    let none = said(Who::Nobody);
    if none.iter().any(|answer| !answer.is_empty()) {
        note("no context", none);
    }
    for (place, (kind, _)) in forged(session, plane).into_iter().enumerate() {
        let given = said(Who::Forged(place));
        if given.iter().any(|answer| *answer != "42501") {
            note(&format!("a context that is {kind}"), given);
        }
    }
    broken
}

async fn copy(session: &Session, own: &Context, target: &Target) -> [String; 2] {
    let column = if target.shape.has("tenant_id") {
        "tenant_id"
    } else if target.shape.has("id") {
        "id"
    } else {
        "ancestor_id"
    };
    session.begin(&session.seal(own)).await;
    let out = match session.client.copy_out(&format!("copy enamel.{} ({column}) to stdout", target.name())).await {
        Ok(stream) => match stream.try_collect::<Vec<_>>().await {
            Ok(rows) => rows.len().to_string(),
            Err(failure) => arena::sqlstate(&failure),
        },
        Err(failure) => arena::sqlstate(&failure),
    };
    if out == "42501" {
        session.rollback().await;
        session.begin(&session.seal(own)).await;
    }
    // As a text: the driver's own COPY falls out of step when it is refused.
    let into = session.client.simple_query(&format!("copy enamel.{} from stdin", target.name())).await;
    let into = into.err().map_or("y".into(), |failure| arena::sqlstate(&failure));
    session.rollback().await;
    [out.replace("42501", "denied"), if ["42501", "0A000"].contains(&into.as_str()) { "n".into() } else { into }]
}

/// Few tables lose rows: only theirs is told.
fn deleted(rows: &str) -> String {
    if rows == "42501" { String::new() } else { format!(" delete:{rows}") }
}

fn format_line(target: &Target, columns: &[String], said: Said, copied: &[String; 2]) -> String {
    let own = said(Who::Own);
    let (read, writes) = (own[0], &own[1..]);
    let others = [Who::Sibling, Who::Foreign, Who::Powerless, Who::Distant].map(said);
    if own.iter().chain(others.iter().flatten()).all(|answer| ["42501", "n"].contains(answer)) && copied[0] == "denied" && copied[1] == "n"
    {
        return "denied".into();
    }
    let givable: Vec<&String> =
        target.columns.iter().filter(|name| !["tenant_id", "id", "created_at", "created_by"].contains(&name.as_str())).collect();
    let granted = if columns.len() == givable.len() { "*".to_owned() } else { columns.join(",") };
    let done = |place: usize| writes[place].replace("42501", "n");
    let mut line = format!(
        "select {} sibling {} foreign {} | insert own:{} stranger:{} foreign:{} twin:{} elsewhere:{} | update({granted}) rows:{} returning {} move:{} | upsert own:{} foreign:{} | merge own:{} foreign:{} | delete all:{} own:{} foreign:{} | copy to:{} from:{}",
        seen(read),
        seen(others[0][0]),
        seen(others[1][0]),
        writes[0],
        writes[1],
        writes[2],
        writes[3],
        writes[4],
        done(5),
        seen(writes[6]),
        if writes.len() == 14 { "-".into() } else { writes[14..].join(",") },
        writes[7],
        writes[8],
        done(9),
        done(10),
        done(11),
        done(12),
        done(13),
        copied[0],
        copied[1],
    );
    for (what, said) in [("no permission", &others[2]), ("no patients", &others[3])] {
        line += &format!(" | {what} {} insert:{} update:{}", seen(said[0]), said[1], said[2].replace("42501", "n"));
        line += &deleted(said[3]);
    }
    if let [read, own, stranger, rows, gone] = said(Who::Part)[..] {
        line += &format!(" | part {} insert own:{own} stranger:{stranger} update rows:{}", seen(read), rows.replace("42501", "n"));
        line += &deleted(gone);
    }
    line
}
