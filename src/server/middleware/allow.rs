//! Which methods each path takes. poem's router does not tell, and RFC 9110 wants it in every 405.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use poem::http::{HeaderValue, Method};
use poem_openapi::OpenApi;

/// Methods by route template: `/api/v1/patients/:id`.
#[derive(Debug, Clone, Default)]
pub struct AllowTable(HashMap<String, Line>);

#[derive(Debug, Clone)]
struct Line {
    template: Arc<str>,
    methods: BTreeSet<String>,
}

impl AllowTable {
    /// Adds methods of one path.
    pub fn path(mut self, template: &str, methods: &[Method]) -> Self {
        self.insert(template, methods.iter());
        self
    }

    /// Adds everything an API under `prefix` declares.
    pub fn api<A: OpenApi>(mut self, prefix: &str) -> Self {
        for path in A::meta().into_iter().flat_map(|api| api.paths) {
            let template = format!("{prefix}{}", router_template(&path.path));
            self.insert(&template, path.operations.iter().map(|operation| &operation.method));
        }
        self
    }

    fn insert<'m>(&mut self, template: &str, methods: impl Iterator<Item = &'m Method>) {
        let new = || Line { template: template.into(), methods: BTreeSet::from([Method::OPTIONS.to_string()]) };
        let known = &mut self.0.entry(nameless(template)).or_insert_with(new).methods;
        for method in methods {
            known.insert(method.to_string());
            if method == Method::GET {
                known.insert(Method::HEAD.to_string());
            }
        }
    }

    /// The value of `Allow` at a path that the router took for that template: one that names more of the path knows better.
    pub(super) fn at(&self, path: &str, template: Option<&str>) -> Option<HeaderValue> {
        let methods = &self.line(path).or_else(|| self.0.get(&nameless(template?)))?.methods;
        let joined = methods.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        HeaderValue::from_str(&joined).ok()
    }

    /// The template as it was declared, for one the router calls by other parameter names.
    pub(super) fn declared(&self, template: &str) -> Option<Arc<str>> {
        self.0.get(&nameless(template)).map(|line| line.template.clone())
    }

    /// The template of a path whose request ended without the router telling: by a panic or its deadline.
    pub(super) fn of_path(&self, path: &str) -> Option<Arc<str>> {
        self.line(path).map(|line| line.template.clone())
    }

    fn line(&self, path: &str) -> Option<&Line> {
        let fits = |template: &str| {
            let same = |(wanted, given): (&str, &str)| wanted == given || (wanted == ":" && !given.is_empty());
            template.split('/').count() == path.split('/').count() && template.split('/').zip(path.split('/')).all(same)
        };
        let fitting = self.0.iter().filter(|(template, _)| fits(template));
        // `/patients/search` before `/patients/:id`.
        fitting.min_by_key(|(template, _)| template.matches(':').count()).map(|(_, line)| line)
    }
}

/// A template without the names of its parameters: poem-openapi's router calls `{id}` `:param0`.
fn nameless(template: &str) -> String {
    let segments = template.split('/').map(|segment| if segment.starts_with(':') { ":" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// The document writes `/patients/{id}`, the router `/patients/:id`.
fn router_template(path: &str) -> String {
    path.replace('{', ":").replace('}', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_methods_in_order() {
        let table = AllowTable::default().path("/patients", &[Method::POST, Method::GET]).path("/patients", &[Method::DELETE]);
        assert_eq!(table.at("/patients", None).unwrap(), "DELETE, GET, HEAD, OPTIONS, POST");
        assert!(table.at("/other", Some("/another")).is_none() && table.at("/other", None).is_none());
        assert_eq!(table.at("/patients/", Some("/patients")).unwrap(), "DELETE, GET, HEAD, OPTIONS, POST");
        let table = table.path("/:any", &[Method::PUT]);
        assert_eq!((table.at("/patients", Some("/:any")).unwrap().len(), table.at("/x", None).unwrap().len()), (32, 12));
        assert_eq!(router_template("/a/{id}/b/{other_id}"), "/a/:id/b/:other_id");
    }

    #[test]
    fn a_path_finds_its_template_and_a_template_its_declared_names() {
        let table = AllowTable::default().path("/a/:id", &[]).path("/a/search", &[]).path("/a/:id/b/:other", &[]);
        let of = |path: &str| table.of_path(path).map(|template| template.to_string());
        assert_eq!(of("/a/7").as_deref(), Some("/a/:id"));
        assert_eq!(of("/a/search").as_deref(), Some("/a/search"));
        assert_eq!(of("/a/7/b/8").as_deref(), Some("/a/:id/b/:other"));
        assert_eq!((of("/a/"), of("/a"), of("/a/7/b"), of("/b/7")), (None, None, None, None));
        assert_eq!(table.declared("/a/:param0/b/:param1").as_deref(), Some("/a/:id/b/:other"));
    }
}
