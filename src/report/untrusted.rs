//! Text that a job wrote, made harmless for wherever it is shown; the only place that knows how.
//!
//! A log line may hold anything: control sequences that repaint a terminal, tags, formulas, workflow commands, characters
//! that reorder what a reader sees. Every format passes such text through [`plain`] first, which makes the invisible
//! visible, and then through the rule of its own language.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of text for a reader: colour codes dropped, other control characters and characters that hide or reorder
/// text shown instead of obeyed, tabs turned into spaces.
pub fn plain(text: &str) -> Cow<'_, str> {
    shown(text, false)
}

/// The same for text of several lines, such as code: line ends stay.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    shown(text, true)
}

fn shown(text: &str, keep_line_ends: bool) -> Cow<'_, str> {
    // The old form of a GitHub workflow command counts wherever it stands in a line.
    if text.contains("##[") {
        return Cow::Owned(shown(&text.replace("##[", "#\\#["), keep_line_ends).into_owned());
    }
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = colour_code(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' if keep_line_ends => shown.push('\n'),
            '\r' if keep_line_ends && rest.starts_with('\n') => {}
            '\t' => shown.push_str(if keep_line_ends { "    " } else { "  " }),
            '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => shown.push('\u{2421}'),
            c if is_hidden(c) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Length of the colour code (`ESC [ 1 ; 32 m`) that `text` begins with.
fn colour_code(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\x1b[")?;
    let length = inner.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    (inner.as_bytes().get(length) == Some(&b'm')).then_some(length + 3)
}

/// Characters that do something instead of showing something, or that make text look like other text.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' // C0, DEL, C1
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' // zero width, direction marks
        | '\u{2028}'..='\u{202e}' // line separators, direction embedding and override
        | '\u{2060}'..='\u{206f}' // joiners, direction isolates
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}' // tags
    )
}

/// One whole output line: never what GitHub would take for a command of ours, which is any line that begins with `::`.
pub fn no_command(line: &str) -> Cow<'_, str> {
    let trimmed = line.trim_start();
    if !trimmed.starts_with("::") {
        return Cow::Borrowed(line);
    }
    let (blank, rest) = line.split_at(line.len() - trimmed.len());
    Cow::Owned(format!("{blank}\\{rest}"))
}

fn no_commands(text: &str) -> String {
    text.split('\n').map(no_command).collect::<Vec<_>>().join("\n")
}

/// Text inside an HTML element or a quoted attribute.
pub fn html(text: &str) -> String {
    escape(&plain(text))
}

/// The same for text of several lines, inside `<pre>`.
pub fn html_lines(text: &str) -> String {
    escape(&no_commands(&plain_lines(text)))
}

/// Text inside an XML 1.0 element or a quoted attribute; characters that XML forbids are already shown by name.
pub fn xml(text: &str) -> String {
    escape(&plain(text))
}

/// The same for text of several lines.
pub fn xml_lines(text: &str) -> String {
    escape(&no_commands(&plain_lines(text)))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A cell of a CSV file: a number stays as it is; text that a spreadsheet would run as a formula gets a quote before it.
pub fn csv(text: &str) -> Cow<'_, str> {
    let shown = plain(text);
    let formula = shown.starts_with(['=', '+', '-', '@']) && shown.trim_end_matches('%').parse::<f64>().is_err();
    if formula || shown.starts_with("::") { Cow::Owned(format!("'{shown}")) } else { shown }
}

/// Text within a Markdown paragraph or table cell: shows as it stands, without markup, links or mentions.
pub fn markdown(text: &str) -> String {
    let shown = plain(text);
    let mut escaped = String::with_capacity(shown.len());
    if shown.trim_start().starts_with("::") {
        escaped.push('\\');
    }
    let mut before = ' ';
    for c in shown.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            // An underscore inside a word is no emphasis, and ids such as num_workers stay readable in the source.
            '_' if before.is_alphanumeric() => escaped.push('_'),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
        before = c;
    }
    // Bare addresses become links on GitHub.
    escaped.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Text inside an HTML element that stands in Markdown, where GitHub still looks for links and mentions.
pub fn markdown_html(text: &str) -> String {
    html(text).replace('@', "&#64;").replace("://", "&#58;//")
}

/// Text as inline code in Markdown, safe in a table cell too.
pub fn markdown_code(text: &str) -> String {
    let shown = plain(text).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&shown, '`') + 1);
    let pad = if shown.starts_with('`') || shown.ends_with('`') || shown.is_empty() { " " } else { "" };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// A fenced block in Markdown; the fence is longer than any within, so that the text cannot leave it.
pub fn markdown_block(language: &str, text: &str) -> String {
    let shown = no_commands(&plain_lines(text));
    let fence = "`".repeat((longest_run(&shown, '`') + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", shown.trim_end_matches('\n'))
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// The message of a GitHub workflow command.
pub fn github_message(text: &str) -> String {
    plain_lines(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a GitHub workflow command, such as a file name.
pub fn github_property(text: &str) -> String {
    github_message(&plain(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_shown_and_not_obeyed() {
        assert_eq!(plain("\x1b[2J\x07\u{9b}31m"), "␛[2J␇\\u{9b}31m");
        assert_eq!(plain("a\nb\rc"), "a␊b␍c");
        assert_eq!(plain_lines("a\r\nb\tc"), "a\nb    c");
    }

    #[test]
    fn colours_are_dropped() {
        assert_eq!(plain("\x1b[1;32mloss\x1b[0m 2.3\x1b[m"), "loss 2.3");
    }

    #[test]
    fn text_that_reorders_or_hides_is_named() {
        assert_eq!(plain("a\u{202e}b\u{200b}c"), "a\\u{202e}b\\u{200b}c");
        assert_eq!(plain("größe 損失 ✓"), "größe 損失 ✓");
    }

    #[test]
    fn workflow_commands_lose_their_place() {
        assert_eq!(no_command("   ::error::x"), "   \\::error::x");
        assert_eq!(plain("a ##[error]b"), "a #\\#[error]b");
        assert_eq!(no_command("a::b"), "a::b");
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(html("<script>\"&'"), "&lt;script&gt;&quot;&amp;&#39;");
        assert_eq!(xml("]]>\u{0}\u{ffff}"), "]]&gt;␀\\u{ffff}");
    }

    #[test]
    fn numbers_stay_numbers_in_csv_and_formulas_become_text() {
        assert_eq!(csv("-1.5e-3"), "-1.5e-3");
        assert_eq!(csv("-inf"), "-inf");
        assert_eq!(csv("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
    }

    #[test]
    fn markdown_cannot_be_left() {
        assert_eq!(markdown("a|b`c <b> @x num_workers"), "a\\|b\\`c &lt;b&gt; &#64;x num_workers");
        assert_eq!(markdown_code("a``b"), "```a``b```");
        assert!(markdown_block("", "```\nx").starts_with("````\n"));
    }

    #[test]
    fn github_escapes_as_documented() {
        assert_eq!(github_message("50%\n::error::"), "50%25%0A::error::");
        assert_eq!(github_property("a:b,c"), "a%3Ab%2Cc");
    }
}
