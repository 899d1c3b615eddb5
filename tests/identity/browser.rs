//! As much of a browser as a sign-in needs: cookies, forms, and redirects followed by hand.

use std::collections::BTreeMap;

use reqwest::{Client, Url, header, redirect};

pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

/// A page or a redirect.
pub struct Page {
    pub url: Url,
    pub status: u16,
    pub location: Option<String>,
    pub policy: Option<String>,
    pub body: String,
}

impl Browser {
    pub fn new() -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { client, cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, url: &str) -> Page {
        let request = self.client.get(url);
        self.send(request).await
    }

    /// Submits the page's first form, its hidden fields and `typed` over them.
    pub async fn submit(&mut self, page: &Page, typed: &[(&str, &str)]) -> Page {
        let url = page.url.join(&page.form_action().expect("a form")).unwrap();
        let mut fields = page.hidden_fields();
        for (name, value) in typed {
            fields.retain(|(hidden, _)| hidden != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        let request = self.client.post(url).form(&fields);
        self.send(request).await
    }

    /// Follows redirects until a page comes or the address begins with `until`.
    pub async fn follow(&mut self, mut page: Page, until: &str) -> Page {
        for _ in 0..10 {
            let Some(location) = page.location.clone().filter(|location| !location.starts_with(until)) else { break };
            let next = page.url.join(&location).unwrap();
            page = self.get(next.as_str()).await;
        }
        page
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(header::COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let text = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Page {
            url: answer.url().clone(),
            status: answer.status().as_u16(),
            location: text("location"),
            policy: text("content-security-policy"),
            body: answer.text().await.unwrap(),
        }
    }
}

impl Page {
    /// The same page, its first form the one with that action.
    pub fn with_form(&self, action: &str) -> Page {
        let at = self.body.find(&format!("action=\"{action}\"")).unwrap_or_else(|| panic!("no form {action}: {}", self.body));
        let (start, body) = (self.body[..at].rfind("<form").unwrap(), &self.body);
        let end = start + body[start..].find("</form>").unwrap();
        Page { url: self.url.clone(), location: None, policy: None, body: body[start..end].to_owned(), ..*self }
    }

    pub fn form_action(&self) -> Option<String> {
        let form = self.body.split_once("<form")?.1;
        Some(unescape(attribute(form.split_once('>')?.0, "action")?))
    }

    /// The first link to an address that begins so.
    pub fn link_to(&self, start: &str) -> Option<String> {
        let links = self.body.split("<a ").skip(1).filter_map(|rest| rest.split_once('>'));
        links.filter_map(|(link, _)| Some(unescape(attribute(&format!(" {link}"), "href")?))).find(|href| href.starts_with(start))
    }

    pub fn hidden_fields(&self) -> Vec<(String, String)> {
        let inputs = self.body.split("<input").skip(1).filter_map(|rest| rest.split_once('>')).map(|(input, _)| input);
        // Ticked boxes are sent as they are.
        let sent = |input: &&str| match attribute(input, "type") {
            Some("hidden") => true,
            Some("checkbox") => input.ends_with(" checked"),
            _ => false,
        };
        inputs.filter(sent).filter_map(|input| Some((attribute(input, "name")?.to_owned(), unescape(attribute(input, "value")?)))).collect()
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

fn unescape(text: &str) -> String {
    [("&#34;", "\""), ("&#38;", "&"), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
