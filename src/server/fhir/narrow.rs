//! Scopes that are narrowed to what a search finds (`patient/Observation.rs?category=laboratory`): the search is a condition of
//! every statement that shows resources of the type, so nothing else leaves the database. Where records come another way (their
//! past, exports, changes) such a scope is not enough.

use super::read::{self, Shown};
use super::way::Way;
use super::writing::Sql;
use super::{find, page, search, types, vocabulary};
use crate::fhir::mapping::Mapping;
use crate::fhir::negotiate::{Handling, Prefer};
use crate::fhir::registry::TypeDef;
use crate::fhir::search::param::ID;
use crate::fhir::search::value::{Ids, Named};
use crate::fhir::search::{Condition, Query, Value as Asked};
use crate::kernel::Caller;
use crate::kernel::context::Context;
use crate::kernel::error::{self, Error, Result};
use crate::server::scopes;
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// What the caller's scopes ask of a row of that mapping. None: nothing.
pub async fn condition(caller: &Caller, context: &Context, mapping: &'static Mapping, letter: char) -> Result<Option<Sql>> {
    let Some(searches) = scopes::narrowed(caller, mapping.of.name, letter) else { return Ok(None) };
    let (mut any, mut values) = (Vec::with_capacity(searches.len()), Vec::new());
    for text in searches {
        let mut all = Vec::new();
        for condition in &asked(caller, mapping.of.name, text).await?.conditions {
            let (text, more) = find::condition(caller, context, mapping, condition).await?;
            all.push(format!("({text})"));
            values.extend(more);
        }
        any.push(format!("({})", all.join(" and ")));
    }
    // The type is not permitted at all.
    let text = if any.is_empty() { "false".to_owned() } else { any.join(" or ") };
    Ok(Some((Cow::Owned(text), values)))
}

/// A scope's search, read strictly: what would be passed over would let more through than the scope says.
async fn asked(caller: &Caller, name: &str, text: &str) -> Result<Query> {
    let def = types::registry().find(name)?;
    let prefer = Prefer { handling: Handling::Strict, ..Prefer::default() };
    let query = search::parse(def.name, def.search, text, prefer, &super::base(&caller.kernel));
    let query = query.ok().filter(|query| !query.conditions.is_empty() && query.filters.is_empty());
    let refused = || Error::new(&error::FORBIDDEN).detail(format!("The token's scope for {name} names a search that is not served."));
    let query = query.ok_or_else(refused)?;
    Ok(vocabulary::settled(caller, &mut Way::Apart, &query).await?.into_owned())
}

/// One resource by its id, when the scopes show it: one that they leave out is answered like one that is not there.
pub async fn one(caller: &Caller, way: &mut Way<'_>, def: &'static TypeDef, id: Uuid) -> Result<Shown> {
    let Some(searches) = scopes::narrowed(caller, def.name, 'r') else {
        return read::found(caller, way, types::sources(def.name)?, id).await?.shown();
    };
    let own = Asked::Ids(Ids { type_name: None, of: Named::These(vec![id]) });
    let by_id = Condition { param: &ID, modifier: None, any_of: vec![own], chains: Vec::new() };
    let query = Query { conditions: vec![by_id], count: 1, ..Query::default() };
    // The same search, with what reading asks in place of what searching asks.
    let scopes: Vec<String> = searches.iter().map(|search| format!("user/{}.rs?{search}", def.name)).collect();
    let reader = Caller { scopes: Arc::from(scopes), ..caller.clone() };
    let found = page::one(&reader, way, def.name, &query).await?.shown.pop();
    let Some(found) = found else { return Err(Error::new(&error::NOT_FOUND)) };
    Ok(found)
}
