"""Short programs in four languages; written for mibench."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.probing.blocks import Blocks, Deal, listed
from mibench.tasks.probing.labelled import CrossedText

COUNT = 32
"""Texts of each language in a block."""

_SNIPPETS = {
    "python": r"""
def <a>(<b>):\n    return <b> + <n>
for <a> in range(<n>):\n    print(<a>, <b>)
<a> = [<b> * <n> for <b> in values]
if <a> is None:\n    raise ValueError("<b>")
import <a>\nfrom <b> import load
with open("<a>.txt") as <b>:\n    lines = <b>.readlines()
class <A>:\n    def __init__(self, <b>):\n        self.<b> = <b>
try:\n    <a> = int(<b>)\nexcept ValueError:\n    <a> = <n>
while not <a>:\n    <b> -= <n>
<a> = {"<b>": <n>}\nprint(len(<a>))
print(f"{<a>} and {<b>}")
<a> = sorted(<b>, key=lambda item: item[<n>])
assert isinstance(<a>, dict), "<b>"
elif <a> and not <b>:\n    pass
<a>, <b> = <b>, <a>
<a> = <b>[<n>:]\n<a>.append(None)
if __name__ == "__main__":\n    <a>(<b>)
@property\ndef <a>(self):\n    return self._<b>
<a> = "".join(str(<b>) for <b> in items)
async def <a>():\n    await <b>(<n>)
""",
    "javascript": r"""
function <a>(<b>) {\n  return <b> + <n>;\n}
for (let <a> = 0; <a> < <n>; <a>++) {\n  console.log(<a>, <b>);\n}
const <a> = values.map((<b>) => <b> * <n>);
if (<a> === undefined) {\n  throw new Error("<b>");\n}
import <a> from "./<b>.js";
document.getElementById("<a>").innerHTML = <b>;
const <a> = async () => {\n  await fetch("/<b>");\n};
let <a> = { <b>: <n> };
window.addEventListener("<a>", (event) => <b>(event));
var <a> = require("<b>");
module.exports = { <a>, <b> };
$("#<a>").on("click", function () { $(this).<b>(); });
const { <a>, <b> } = props;
export default function <A>() {\n  const [<b>, setState] = useState(<n>);\n}
setTimeout(() => <a>.<b>(), <n>);
<a>.forEach((<b>) => { total += <b>; });
promise.then((<a>) => <a>.json()).catch(<b>);
if (typeof <a> !== "string") return null;\nlet <b>;
localStorage.setItem("<a>", JSON.stringify(<b>));
const <a> = `Hello ${<b>}`;
""",
    "java": r"""
public int <a>(int <b>) {\n    return <b> + <n>;\n}
for (int <a> = 0; <a> < <n>; <a>++) {\n    System.out.println(<b>);\n}
List<String> <a> = new ArrayList<>();\n<a>.add("<b>");
if (<a> == null) {\n    throw new IllegalArgumentException("<b>");\n}
import java.util.<A>;\nimport org.<b>.Test;
public class <A> extends Base {\n    private String <b>;
public static void main(String[] args) {\n    new <A>().<b>();
private final Map<String, Integer> <a> = new HashMap<>();\n// <b>
@Override\npublic String toString() {\n    return <a> + "<b>";
try {\n    <a>.close();\n} catch (IOException <b>) {
public interface <A> {\n    void <b>();\n}
String <a> = <b>.substring(<n>);
protected boolean <a> = false;\nprotected double <b> = <n>.0;
this.<a> = <a>;\nthis.<b> = <b>;
Scanner <a> = new Scanner(System.in);\nint <b> = <a>.nextInt();
package com.<a>.<b>;
<A> <a> = (<A>) <b>.get(<n>);
synchronized (<a>) {\n    <b>.notifyAll();\n}
for (String <a> : <b>.keySet()) {\n    count++;
public enum <A> { FIRST, SECOND }\nprivate static final long <b> = <n>L;
""",
    "c": r"""
int <a>(int <b>) {\n    return <b> + <n>;\n}
for (i = 0; i < <n>; i++) {\n    printf("%d\n", <a>[i] + <b>);\n}
#include <stdio.h>\n#include "<a>.h"\nint <b>;
char *<a> = malloc(<n> * sizeof(char));\nfree(<b>);
struct <a> {\n    int <b>;\n    struct <a> *next;\n};
if (<a> == NULL) {\n    fprintf(stderr, "<b>");\n    exit(1);
#define <A> <n>\nstatic int <b> = <A>;
typedef struct {\n    double <a>;\n    double <b>;\n} point_t;
int main(int argc, char **argv) {\n    <a>(&<b>);\n    return 0;
while (*<a>) {\n    *<b>++ = *<a>++;\n}
unsigned long <a> = <b> << <n>;
memcpy(<a>, <b>, <n>);\nmemset(<b>, 0, <n>);
void <a>(const char *<b>, size_t n);
<a>-><b> = <n>;
FILE *<a> = fopen("<b>.txt", "r");
#ifdef <A>\nextern int <b>;\n#endif
switch (<a>) {\ncase <n>:\n    <b>();\n    break;
int <a>[<n>];\nint *<b> = <a>;
scanf("%d", &<a>);\nprintf("%s", <b>);
static inline uint32_t <a>(uint32_t <b>) {\n    return <b> & 0xff;
""",
}
_NAMES = """
count, total, index, user, name, value, result, data, item, node, list, file, path, key, size, price, score,
buffer, message, event, button, table, row, column, image, color, width, height, account, order, customer,
product, token, query, response, request, server, client, config, option, timer, session, record, parser,
matrix, vector, counter, filter, handler, worker, queue, stack, cache, source, target, player, enemy, level,
speed, weight
"""
_NUMBERS = """
2, 3, 4, 5, 7, 8, 10, 12, 15, 16, 20, 24, 25, 30, 32, 42, 50, 60, 64, 99, 100, 128, 200, 255, 256, 300, 365,
400, 500, 512
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every program of a block."""
    deal = Deal("code", block)
    names, numbers = deal.words(_NAMES), deal.words(_NUMBERS)
    for language, listing in _SNIPPETS.items():
        for snippet in deal.share(listed(listing)):
            for one in names:
                for other in names:
                    for number in numbers:
                        if one != other:
                            yield deal.text(_filled(snippet, one, other, number), language=language)


def _filled(snippet: str, one: str, other: str, number: str) -> str:
    text = snippet.replace(r"\n", "\n")
    for slot, value in (("<a>", one), ("<A>", one.capitalize()), ("<b>", other), ("<n>", number)):
        text = text.replace(slot, value)
    return text
