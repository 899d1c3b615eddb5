//! The reference of the REST contract as pages: what a record holds, which states it knows, what can be done with it. Made
//! from the same tables as the contract; no script, nothing from another host.

mod chapter;

use super::rest;
use crate::identity::pages::{self, STYLESHEET_PATH};
use crate::kernel::error::{self, Error, Result};
use askama::Template;
use chapter::Chapter;
use poem::http::{Method, StatusCode, header};
use poem::web::{Path, Query};
use poem::{Response, Route, get, handler};
use std::sync::LazyLock;

pub const ROOT: &str = "/api/v1/docs";
const DOCUMENT: &str = "/api/v1/openapi.json";

/// What is served, for the table of methods.
pub const PATHS: &[(&str, &[Method])] = &[(ROOT, &[Method::GET]), ("/api/v1/docs/:chapter", &[Method::GET]), (DOCUMENT, &[Method::GET])];

pub fn with_routes(route: Route) -> Route {
    route.at(ROOT, get(contents)).at("/api/v1/docs/:chapter", get(one)).at(DOCUMENT, get(document))
}

static CHAPTERS: LazyLock<Vec<Chapter>> = LazyLock::new(chapter::all);

/// A chapter, and what of it the search found.
type Found<'a> = (&'a Chapter, Vec<String>);

#[derive(Template)]
#[template(path = "reference.html")]
struct Contents<'a> {
    asked: &'a str,
    parts: Vec<(&'static str, Vec<Found<'a>>)>,
    root: &'a str,
    document: &'a str,
    stylesheet: &'a str,
}

#[derive(Template)]
#[template(path = "reference_chapter.html")]
struct One<'a> {
    chapter: &'a Chapter,
    root: &'a str,
    stylesheet: &'a str,
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

/// All chapters, or those in which every asked word is found, with the places.
#[handler]
fn contents(Query(Asked { q }): Query<Asked>) -> Result<Response> {
    let words: Vec<String> = q.split_whitespace().map(str::to_lowercase).collect();
    let mut parts: Vec<(&'static str, Vec<_>)> = Vec::new();
    for chapter in CHAPTERS.iter() {
        let Some(places) = chapter.places(&words) else { continue };
        match parts.iter_mut().find(|(tag, _)| *tag == chapter.tag) {
            Some((_, chapters)) => chapters.push((chapter, places)),
            None => parts.push((chapter.tag, vec![(chapter, places)])),
        }
    }
    pages::page(StatusCode::OK, &Contents { asked: &q, parts, root: ROOT, document: DOCUMENT, stylesheet: STYLESHEET_PATH }, &[])
}

#[handler]
fn one(Path(name): Path<String>) -> Result<Response> {
    let chapter = CHAPTERS.iter().find(|chapter| chapter.name == name).ok_or_else(|| Error::new(&error::NO_ROUTE))?;
    pages::page(StatusCode::OK, &One { chapter, root: ROOT, stylesheet: STYLESHEET_PATH }, &[])
}

#[handler]
fn document() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| rest::document().to_string());
    Response::builder().content_type("application/json").header(header::CACHE_CONTROL, "public, max-age=3600").body(TEXT.as_str())
}
