//! A model of who sees what, in plain sets: it knows nothing of SQL, policies or contexts. And random worlds of it.

use enamel::kernel::context::{Permission, Plane};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Whose rows a table holds.
#[derive(Clone, Copy, PartialEq)]
pub enum Of {
    Tenant,
    /// A tenant's, shown to its patients.
    Linked,
    /// A patient's chart.
    Chart,
    /// The same, where it is published.
    Published,
    /// A tenant's or everybody's.
    Shared,
    People,
}

pub const TABLES: [(&str, Of, Permission); 8] = [
    ("teams", Of::Tenant, Permission::ViewTenant),
    ("locations", Of::Linked, Permission::ViewTenant),
    ("patients", Of::Chart, Permission::ViewPatient),
    ("patient_addresses", Of::Chart, Permission::ViewPatient),
    ("imaging_studies", Of::Chart, Permission::ViewImaging),
    ("files", Of::Published, Permission::ViewImaging),
    ("payers", Of::Shared, Permission::ViewClaims),
    ("users", Of::People, Permission::ViewTenant),
];
pub const PERMISSIONS: [Permission; 4] = [Permission::ViewTenant, Permission::ViewPatient, Permission::ViewImaging, Permission::ViewClaims];
pub const SCOPES: [&str; 7] = ["appointments", "messages", "billing", "plans", "clinical", "documents", "imaging"];
pub const PLANES: [Plane; 6] = [Plane::Staff, Plane::Group, Plane::Patient, Plane::Share, Plane::Audit, Plane::Jobs];
pub const USERS: usize = 4;
pub const NUMBERS: usize = 3;

/// A patient of a tenant, by a number that other tenants use too.
pub type Chart = (usize, usize);
/// Days from today, never today itself.
pub type Days = i32;

#[derive(Debug, Clone)]
pub struct Proxy {
    pub user: usize,
    pub chart: Chart,
    pub scopes: BTreeSet<usize>,
    pub status: &'static str,
    pub from: Days,
    pub until: Option<Days>,
}

#[derive(Debug, Clone)]
pub struct Mandate {
    pub user: usize,
    pub tenant: usize,
    pub permissions: BTreeSet<usize>,
    /// A word nobody knows beside them.
    pub nonsense: bool,
    pub from: Days,
    pub until: Days,
    pub revoked: bool,
}

#[derive(Debug, Clone)]
pub struct Asks {
    pub plane: Plane,
    pub user: usize,
    pub tenant: usize,
    pub caps: BTreeSet<usize>,
    pub subject: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Model {
    /// The tenant above each.
    pub parents: Vec<Option<usize>>,
    pub patients: BTreeSet<Chart>,
    pub accounts: Vec<(usize, Chart, &'static str)>,
    pub proxies: Vec<Proxy>,
    pub mandates: Vec<Mandate>,
    pub members: Vec<(usize, usize, bool)>,
    pub asks: Vec<Asks>,
}

pub struct Row {
    pub table: usize,
    /// None is the platform.
    pub tenant: Option<usize>,
    pub number: Option<usize>,
    pub published: bool,
    pub id: Uuid,
}

// ── The model ──────────────────────────────────────────────────────────────────────────────────────────────────

impl Model {
    pub fn above(&self, tenant: usize, root: usize) -> bool {
        tenant == root || self.parents[tenant].is_some_and(|parent| self.above(parent, root))
    }
    /// Charts of a login; `needs` must be in a proxy's scopes.
    fn charts(&self, who: &Asks, needs: Option<Permission>) -> BTreeSet<Chart> {
        let own = self.accounts.iter().filter(|(user, _, status)| *user == who.user && *status == "ACTIVE").map(|(_, chart, _)| *chart);
        let lent = self.proxies.iter().filter(|proxy| {
            let live = proxy.status == "ACTIVE" && proxy.from < 0 && proxy.until.is_none_or(|until| until > 0);
            proxy.user == who.user && live && needs.is_none_or(|needs| allows(&proxy.scopes, needs))
        });
        own.chain(lent.map(|proxy| proxy.chart)).filter(|(_, number)| who.subject.is_none_or(|subject| subject == *number)).collect()
    }
    fn mandated(&self, who: &Asks, needs: Permission) -> BTreeSet<usize> {
        let live = |mandate: &&Mandate| !mandate.revoked && mandate.from < 0 && mandate.until > 0;
        let names = |mandate: &&Mandate| mandate.permissions.iter().any(|place| PERMISSIONS[*place] == needs);
        self.mandates.iter().filter(|mandate| mandate.user == who.user).filter(live).filter(names).map(|mandate| mandate.tenant).collect()
    }
    /// The tenants a caller covers with a permission; None where the permission is not theirs.
    fn tenants(&self, who: &Asks, needs: Permission) -> BTreeSet<usize> {
        let has = who.caps.iter().any(|place| PERMISSIONS[*place] == needs);
        match who.plane {
            Plane::Jobs => [who.tenant].into(),
            _ if !has => BTreeSet::new(),
            Plane::Staff => [who.tenant].into(),
            Plane::Group => (0..self.parents.len()).filter(|tenant| self.above(*tenant, who.tenant)).collect(),
            // Nothing clinical is shown to an auditor, whatever the mandate names.
            Plane::Audit if needs == Permission::ViewImaging => BTreeSet::new(),
            Plane::Audit => self.mandated(who, needs),
            _ => BTreeSet::new(),
        }
    }
    /// The logins of patients are shown to those who see patients.
    fn people(&self, tenants: &BTreeSet<usize>, patients: bool) -> BTreeSet<usize> {
        let members = self.members.iter().filter(|(_, tenant, gone)| tenants.contains(tenant) && !gone).map(|(user, ..)| *user);
        let own = self.accounts.iter().filter(|(_, (tenant, _), _)| tenants.contains(tenant)).map(|(user, ..)| *user);
        let proxies = self.proxies.iter().filter(|proxy| tenants.contains(&proxy.chart.0)).map(|proxy| proxy.user);
        members.chain(own.chain(proxies).filter(|_| patients)).collect()
    }
    pub fn sees(&self, who: &Asks, row: &Row, people: &[Uuid]) -> bool {
        let (_, of, needs) = TABLES[row.table];
        if who.plane == Plane::Patient {
            let has = who.caps.iter().any(|place| PERMISSIONS[*place] == needs);
            let linked = self.charts(who, None);
            return match of {
                Of::Tenant => false,
                Of::Linked => linked.iter().any(|(tenant, _)| Some(*tenant) == row.tenant),
                Of::Shared => !linked.is_empty() && row.tenant.is_none_or(|own| linked.iter().any(|(tenant, _)| *tenant == own)),
                // One's own login is one's own, whatever a token allows.
                Of::People => row.id == people[who.user],
                Of::Chart | Of::Published => {
                    let chart = row.tenant.zip(row.number).unwrap();
                    has && self.charts(who, Some(needs)).contains(&chart) && (of == Of::Chart || row.published)
                }
            };
        }
        let tenants = self.tenants(who, needs);
        let has = |needs| who.caps.iter().any(|place| PERMISSIONS[*place] == needs);
        match of {
            Of::People if who.plane == Plane::Jobs => true,
            Of::People => self.people(&tenants, has(Permission::ViewPatient)).iter().any(|user| people[*user] == row.id),
            Of::Shared => !tenants.is_empty() && row.tenant.is_none_or(|own| tenants.contains(&own)),
            _ => row.tenant.is_some_and(|own| tenants.contains(&own)),
        }
    }
}

/// What the scopes of a proxy allow.
fn allows(scopes: &BTreeSet<usize>, needs: Permission) -> bool {
    let has = |word: &str| scopes.iter().any(|place| SCOPES[*place] == word);
    match needs {
        Permission::ViewPatient => true,
        Permission::ViewImaging => has("imaging") || has("documents"),
        Permission::ViewClaims => has("billing"),
        _ => false,
    }
}

// ── Worlds ─────────────────────────────────────────────────────────────────────────────────────────────────────

fn some_of(count: usize) -> impl Strategy<Value = BTreeSet<usize>> {
    proptest::collection::btree_set(0..count, 0..=count)
}
fn days() -> impl Strategy<Value = Days> {
    prop_oneof![-9..-1, 1..9]
}

pub fn worlds() -> impl Strategy<Value = Model> {
    let parents = proptest::collection::vec(any::<prop::sample::Index>(), 1..6).prop_map(|picks| {
        let mut parents = Vec::new();
        for (place, pick) in picks.iter().enumerate() {
            let pick = pick.index(place + 1);
            parents.push((pick < place).then_some(pick));
        }
        parents
    });
    parents.prop_flat_map(|parents| {
        let count = parents.len();
        let chart = (0..count, 0..NUMBERS);
        let account = (0..USERS, chart.clone(), prop::sample::select(vec!["ACTIVE", "ACTIVE", "INVITED", "SUSPENDED", "CLOSED"]));
        let proxy = (
            0..USERS,
            chart.clone(),
            some_of(SCOPES.len()),
            prop::sample::select(vec!["ACTIVE", "ACTIVE", "PENDING", "REVOKED"]),
            days(),
            proptest::option::of(1..9),
        )
            .prop_map(|(user, chart, scopes, status, from, length)| {
                let until = length.map(|length| if from + length == 0 { 1 } else { from + length });
                Proxy { user, chart, scopes, status, from, until }
            });
        let mandate = (0..USERS, 0..count, some_of(PERMISSIONS.len()), any::<bool>(), days(), 1..12, prop::bool::weighted(0.4)).prop_map(
            |(user, tenant, permissions, nonsense, from, length, revoked)| {
                let until = if from + length == 0 { 1 } else { from + length };
                Mandate { user, tenant, permissions, nonsense, from, until, revoked }
            },
        );
        let asks = (prop::sample::select(PLANES.to_vec()), 0..USERS, 0..count, some_of(4), proptest::option::weighted(0.2, 0..NUMBERS))
            .prop_map(|(plane, user, tenant, caps, subject)| Asks { plane, user, tenant, caps, subject });
        (
            Just(parents),
            proptest::collection::btree_set(chart, 1..8),
            proptest::collection::vec(account, 0..6),
            proptest::collection::vec(proxy, 0..6),
            proptest::collection::vec(mandate, 0..7),
            proptest::collection::vec((0..USERS, 0..count, prop::bool::weighted(0.2)), 0..6),
            proptest::collection::vec(asks, 8..16),
        )
            .prop_map(|(parents, patients, accounts, proxies, mandates, members, asks)| {
                // A login has one account and one mandate a tenant, a patient one account.
                let mut model = Model { parents, patients, accounts, proxies, mandates, members, asks };
                let mut taken = BTreeSet::new();
                model.accounts.retain(|(user, (tenant, _), _)| taken.insert((*user, *tenant)));
                let mut taken = BTreeSet::new();
                model.accounts.retain(|(_, chart, _)| taken.insert(*chart));
                let mut taken = BTreeSet::new();
                model.proxies.retain(|proxy| taken.insert((proxy.user, proxy.chart)));
                let mut taken = BTreeSet::new();
                model.mandates.retain(|mandate| taken.insert((mandate.user, mandate.tenant)));
                let mut taken = BTreeSet::new();
                model.members.retain(|(user, tenant, _)| taken.insert((*user, *tenant)));
                model.patients.extend(model.accounts.iter().map(|(_, chart, _)| *chart));
                model.patients.extend(model.proxies.iter().map(|proxy| proxy.chart));
                model
            })
    })
}
