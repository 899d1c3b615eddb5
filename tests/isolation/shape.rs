//! Tables as the catalogue has them: columns, checks, references, and what their policies ask of a row.

use std::collections::HashMap;
use tokio_postgres::Client;

pub struct Column {
    pub name: String,
    pub ty: String,
    /// NOT NULL without a default.
    pub needed: bool,
    pub nullable: bool,
    pub default: Option<String>,
    /// What it is made of, where it is generated.
    pub generated: Option<String>,
    /// Checks of this column alone.
    pub checks: Vec<String>,
    /// Table it refers to.
    pub refers: Option<String>,
    /// The column whose row's tenant it names.
    pub tenant_of: Option<String>,
}

pub struct Shape {
    pub name: String,
    pub columns: Vec<Column>,
    /// Checks over several columns.
    pub checks: Vec<String>,
    /// What patients' policies ask of a row beyond whose it is: it is published.
    pub published: Vec<String>,
    /// Names the patient, or the login, whose row it is.
    pub patient: Option<String>,
    pub owner: Option<String>,
    /// Rows of a login within a tenant: both decide.
    pub owned_in_tenant: bool,
    /// Rows of the platform tenant are everybody's.
    pub shared: bool,
    /// Without tenants, and everybody's by policy.
    pub catalogue: bool,
}

impl Shape {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|found| found.name == name)
    }
    pub fn has(&self, column: &str) -> bool {
        self.column(column).is_some()
    }
    /// What a statement may set.
    pub fn settable(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.generated.is_none())
    }
    /// Columns an expression speaks of, generated ones as what they are made of too.
    pub fn mentioned<'a>(&'a self, expression: &str) -> Vec<&'a Column> {
        let mut found: Vec<&Column> = self.columns.iter().filter(|column| speaks_of(expression, &column.name)).collect();
        for made in found.clone().iter().filter_map(|column| column.generated.as_deref()) {
            found.extend(self.columns.iter().filter(|column| speaks_of(made, &column.name)));
        }
        found.sort_by_key(|column| &column.name);
        found.dedup_by_key(|column| &column.name);
        found
    }
}

/// The name stands there as a word of its own.
fn speaks_of(expression: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    expression.match_indices(name).any(|(place, _)| {
        let before = expression[..place].chars().next_back();
        let after = expression[place + name.len()..].chars().next();
        !before.is_some_and(|c| word(c) || c == '\'') && !after.is_some_and(|c| word(c) || c == '\'' || c == '(')
    })
}

/// The conjuncts of an expression, at its outermost level.
pub fn conjuncts(expression: &str) -> Vec<String> {
    let inner = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(expression);
    let (mut depth, mut start, mut parts) = (0i32, 0, Vec::new());
    for (place, byte) in inner.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'A' if depth == 0 && inner[place..].starts_with("AND ") => {
                parts.push(inner[start..place].trim().to_owned());
                start = place + 4;
            }
            _ => {}
        }
    }
    parts.push(inner[start..].trim().to_owned());
    if parts.len() == 1 { vec![expression.to_owned()] } else { parts }
}

const COLUMNS: &str = "
    select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
           a.attnotnull and not a.atthasdef, not a.attnotnull,
           case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
           case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
           coalesce((select array_agg(pg_get_expr(k.conbin, k.conrelid)) from pg_constraint k
                      where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]), '{}'),
           (select f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
             where k.conrelid = c.oid and k.contype = 'f' and a.attname <> 'tenant_id'
               and (select b.attname from pg_attribute b where b.attrelid = k.confrelid
                     and b.attnum = k.confkey[array_position(k.conkey, a.attnum)]) = 'id' limit 1),
           (select o.attname::text from pg_constraint k join pg_attribute o on o.attrelid = c.oid
             where k.conrelid = c.oid and k.contype = 'f' and a.attname <> 'tenant_id'
               and (select b.attname from pg_attribute b where b.attrelid = k.confrelid
                     and b.attnum = k.confkey[array_position(k.conkey, a.attnum)]) = 'tenant_id'
               and (select b.attname from pg_attribute b where b.attrelid = k.confrelid
                     and b.attnum = k.confkey[array_position(k.conkey, o.attnum)]) = 'id' limit 1)
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     order by c.relname, a.attnum";

const CHECKS: &str = "
    select c.relname::text, pg_get_expr(k.conbin, k.conrelid) from pg_constraint k join pg_class c on c.oid = k.conrelid
     where c.relnamespace = 'enamel'::regnamespace and not c.relispartition and k.contype = 'c' and cardinality(k.conkey) > 1";

const POLICIES: &str = "
    select tablename::text, roles[1]::text, x from pg_policies, unnest(array[qual, with_check]) x
     where schemaname = 'enamel' and x is not null and roles[1] not in ('enamel_sec', 'enamel_sealer')";

/// Every table of the schema.
pub async fn shapes(client: &Client) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for row in client.query(COLUMNS, &[]).await.unwrap() {
        let name: String = row.get(0);
        if shapes.last().is_none_or(|shape| shape.name != name) {
            shapes.push(Shape {
                name,
                columns: Vec::new(),
                checks: Vec::new(),
                published: Vec::new(),
                patient: None,
                owner: None,
                owned_in_tenant: false,
                shared: false,
                catalogue: true,
            });
        }
        shapes.last_mut().unwrap().columns.push(Column {
            name: row.get(1),
            ty: row.get(2),
            needed: row.get(3),
            nullable: row.get(4),
            default: row.get(5),
            generated: row.get(6),
            checks: row.get(7),
            refers: row.get(8),
            tenant_of: row.get(9),
        });
    }
    let places: HashMap<String, usize> = shapes.iter().enumerate().map(|(place, shape)| (shape.name.clone(), place)).collect();
    for row in client.query(CHECKS, &[]).await.unwrap() {
        shapes[places[row.get::<_, &str>(0)]].checks.push(row.get(1));
    }
    for row in client.query(POLICIES, &[]).await.unwrap() {
        shapes[places[row.get::<_, &str>(0)]].ruled_by(row.get(1), row.get(2));
    }
    shapes
}

impl Shape {
    /// Learns what one policy asks.
    fn ruled_by(&mut self, role: &str, expression: &str) {
        let parts = conjuncts(expression);
        let subject = |part: &str| part.trim_start_matches('(').split(' ').next().unwrap_or_default().to_owned();
        for part in &parts {
            if part.contains("sec.patients(") {
                self.patient = Some(subject(part));
            } else if part.contains("sec.actor(") {
                self.owner = Some(subject(part));
                self.owned_in_tenant |= parts.iter().any(|part| part.starts_with("(tenant_id "));
            } else if !part.contains("sec.") && role == "enamel_patient" && !self.published.contains(part) {
                self.published.push(part.clone());
            }
            self.shared |= part.contains("sec.shared(");
            self.catalogue &= part.contains("sec.known(") || part.contains("sec.everything(");
        }
    }
}

#[test]
fn conjuncts_are_found_at_the_outermost_level() {
    assert_eq!(conjuncts("((a = (select f(1) AND g)) AND (b = 2))"), ["(a = (select f(1) AND g))", "(b = 2)"]);
    assert_eq!(conjuncts("(a = 1)"), ["(a = 1)"]);
    assert!(
        speaks_of("(status = 'A'::text)", "status") && !speaks_of("(status = 'A'::text)", "A") && !speaks_of("substatus = 1", "status")
    );
}
