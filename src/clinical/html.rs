//! HTML cleaned by an allow-list: known elements without attributes, everything else as text. What comes out can hold no
//! script, no link and no style, because nothing but `<name>` and `</name>` of the list is ever written.

const ELEMENTS: &[&str] = &[
    "b",
    "blockquote",
    "br",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];
/// Elements whose content is no text to read.
const SILENT: &[&str] = &["script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math"];

pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

pub fn cleaned(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(place) = rest.find(['<', '>', '&']) {
        out.push_str(&rest[..place]);
        rest = &rest[place..];
        rest = match rest.as_bytes() {
            [b'<', ..] => element(rest, &mut out),
            [b'&', ..] if is_reference(rest) => {
                out.push('&');
                &rest[1..]
            }
            _ => {
                out.push_str(&escaped(&rest[..1]));
                &rest[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// Reads one element's tag (or a comment) and writes it when it is on the list; gives what follows.
fn element<'a>(rest: &'a str, out: &mut String) -> &'a str {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.split_once("-->").map_or("", |(_, after)| after);
    }
    let inner = &rest[1..];
    let (closing, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let length = inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
    let (name, after) = (inner[..length].to_ascii_lowercase(), &inner[length..]);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        out.push_str("&lt;");
        return &rest[1..];
    }
    let after = after.find('>').map_or("", |end| &after[end + 1..]);
    if ELEMENTS.contains(&name.as_str()) {
        out.push_str(if closing { "</" } else { "<" });
        out.push_str(&name);
        out.push('>');
    } else if SILENT.contains(&name.as_str()) && !closing {
        let end = format!("</{name}");
        let place = after.to_ascii_lowercase().find(&end);
        return place.and_then(|place| after[place..].split_once('>')).map_or("", |(_, after)| after);
    }
    after
}

/// `&amp;`, `&#8217;`, `&#x2019;`.
fn is_reference(rest: &str) -> bool {
    let Some((name, _)) = rest[1..].split_once(';') else { return false };
    let all = |text: &str, f: fn(&u8) -> bool| !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| f(&byte));
    match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => all(digits, u8::is_ascii_hexdigit),
            None => all(number, u8::is_ascii_digit),
        },
        None => all(name, u8::is_ascii_alphanumeric),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_list_stays() {
        for (dirty, clean) in [
            ("<p class=x onclick='a()'>Hi <b>you</b></p>", "<p>Hi <b>you</b></p>"),
            ("a<script>alert(1)</script>b", "ab"),
            ("a<SCRIPT src=x>alert(1)</ScRiPt >b", "ab"),
            ("<a href='javascript:x'>link</a><img src=x onerror=y>", "link"),
            ("1 < 2 & 3 > 2 &amp; &#8217;", "1 &lt; 2 &amp; 3 &gt; 2 &amp; &#8217;"),
            ("<!-- <b> -->c<br/>", "c<br>"),
            ("<p", "<p>"),
            ("<style>p{}", ""),
        ] {
            assert_eq!(cleaned(dirty), clean);
        }
        assert_eq!(escaped("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_only_the_list_comes_out(dirty in "([<>&/a-zA-Z \"'=!;#-]|<p>|<script|</script>|<b x=y>|<!--|-->|&lt;){0,60}") {
            let clean = cleaned(&dirty);
            let mut rest = clean.as_str();
            while let Some(place) = rest.find('<') {
                rest = rest[place + 1..].trim_start_matches('/');
                let (name, after) = rest.split_once('>').expect("every element is closed");
                prop_assert!(ELEMENTS.contains(&name), "{name}");
                rest = after;
            }
            prop_assert_eq!(cleaned(&clean), clean);
        }
    }
}
