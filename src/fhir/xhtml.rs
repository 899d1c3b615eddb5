//! The narrative: XHTML of FHIR's subset (R4 §2.1.10.0.1), with nothing that acts.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const ELEMENTS: &[&str] = &[
    "p",
    "br",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "a",
    "span",
    "b",
    "em",
    "i",
    "strong",
    "small",
    "big",
    "tt",
    "dfn",
    "q",
    "var",
    "abbr",
    "acronym",
    "cite",
    "blockquote",
    "hr",
    "address",
    "bdo",
    "kbd",
    "sub",
    "sup",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "pre",
    "table",
    "caption",
    "colgroup",
    "col",
    "thead",
    "tr",
    "tfoot",
    "tbody",
    "th",
    "td",
    "code",
    "samp",
    "img",
    "map",
    "area",
    "u",
    "s",
    "strike",
    "del",
    "ins",
    "label",
];
const ATTRIBUTES: &[&str] = &[
    "title",
    "style",
    "class",
    "id",
    "lang",
    "xml:lang",
    "dir",
    "accesskey",
    "tabindex",
    "span",
    "width",
    "align",
    "valign",
    "char",
    "charoff",
    "abbr",
    "axis",
    "headers",
    "scope",
    "rowspan",
    "colspan",
    "name",
    "href",
    "target",
    "rel",
    "rev",
    "src",
    "alt",
    "height",
    "usemap",
    "ismap",
    "longdesc",
    "shape",
    "coords",
    "nohref",
    "border",
    "cellpadding",
    "cellspacing",
    "frame",
    "rules",
    "summary",
    "nowrap",
    "hspace",
    "vspace",
    "bgcolor",
    "type",
    "start",
    "value",
    "cite",
    "datetime",
    "clear",
    "noshade",
    "size",
    "compact",
    "charset",
    "hreflang",
    "color",
    "face",
    "xmlns",
    "xml:space",
    "background",
    "xmlns:xhtml",
    "lowsrc",
];
const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
const DEPTH_MAX: usize = 200;

/// The narrative of a plain text: a paragraph for each of its lines.
pub fn paragraphs(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said: String = lines.map(|line| format!("<p>{}</p>", quick_xml::escape::escape(line))).collect();
    format!("<div xmlns=\"{NAMESPACE}\">{said}</div>")
}

/// Elements that stand in a line with others; all others begin a line of their own.
const INLINE: &[&str] =
    &["a", "abbr", "acronym", "b", "big", "code", "em", "i", "q", "s", "small", "span", "strong", "sub", "sup", "tt", "u"];

/// What a narrative says, a line for each of its blocks.
pub fn words(text: &str) -> String {
    let mut reader = Reader::from_str(text.trim());
    let mut said = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Text(words)) => said.push_str(&words.decode().unwrap_or_default()),
            Ok(Event::CData(words)) => said.push_str(&words.decode().unwrap_or_default()),
            Ok(Event::GeneralRef(name)) => {
                let name = format!("&{};", name.decode().unwrap_or_default());
                said.push_str(&quick_xml::escape::unescape(&name).unwrap_or_default());
            }
            Ok(Event::Start(tag) | Event::Empty(tag)) if !INLINE.iter().any(|name| tag.local_name().as_ref() == name.as_bytes()) => {
                said.push('\n')
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Why a narrative is none, in words for its sender.
pub fn check(text: &str) -> Result<(), &'static str> {
    let mut reader = Reader::from_str(text.trim());
    let (mut open, mut said, mut roots) = (Vec::new(), false, 0);
    loop {
        match reader.read_event().map_err(|_| "The narrative is not well-formed XHTML.")? {
            Event::Start(tag) => {
                roots += usize::from(open.is_empty());
                said |= element(&tag, open.is_empty())?;
                open.push(());
                if open.len() > DEPTH_MAX {
                    return Err("The narrative nests too deep.");
                }
            }
            Event::Empty(tag) => {
                roots += usize::from(open.is_empty());
                said |= element(&tag, open.is_empty())?;
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(words) => said |= shows(&words, open.is_empty())?,
            Event::GeneralRef(_) => said = true,
            Event::CData(words) => said |= shows(&words, open.is_empty())?,
            Event::Comment(_) => {}
            Event::DocType(_) | Event::Decl(_) | Event::PI(_) => return Err("A narrative has no declarations."),
            Event::Eof => break,
        }
    }
    match (open.is_empty() && roots == 1, said) {
        (true, true) => Ok(()),
        (true, false) => Err("A narrative shows something."),
        (false, _) => Err("A narrative is one div."),
    }
}

fn shows(words: &[u8], is_outside: bool) -> Result<bool, &'static str> {
    let shows = !words.iter().all(u8::is_ascii_whitespace);
    if shows && is_outside { Err("A narrative is one div.") } else { Ok(shows) }
}

/// Whether the element shows something by itself.
fn element(tag: &BytesStart<'_>, is_root: bool) -> Result<bool, &'static str> {
    let name = tag.name();
    let name = std::str::from_utf8(name.as_ref()).unwrap_or_default();
    let local = name.rsplit(':').next().unwrap_or(name);
    if !ELEMENTS.contains(&local) {
        return Err("The narrative has an element that narratives may not have.");
    }
    let mut is_xhtml = false;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| "The narrative is not well-formed XHTML.")?;
        let key = std::str::from_utf8(attribute.key.as_ref()).unwrap_or_default();
        if !ATTRIBUTES.contains(&key) && !key.starts_with("xmlns:") && !key.starts_with("data-") {
            return Err("The narrative has an attribute that narratives may not have.");
        }
        let value = attribute.value.trim_ascii_start();
        if matches!(key, "href" | "src") && acts(value) {
            return Err("The narrative has a link that acts.");
        }
        is_xhtml |= key.starts_with("xmlns") && attribute.value.as_ref() == NAMESPACE.as_bytes();
    }
    match (is_root, local) {
        (true, "div") if is_xhtml => Ok(false),
        (true, _) => Err("A narrative is one div in the namespace of XHTML."),
        (false, name) => Ok(matches!(name, "img" | "hr" | "area")),
    }
}

fn acts(link: &[u8]) -> bool {
    let starts = |word: &[u8]| link.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    starts(b"javascript:") || starts(b"vbscript:")
}
