import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.commons.text.StringSubstitutor;
import org.apache.commons.text.lookup.StringLookup;
import org.apache.commons.text.lookup.StringLookupFactory;

/**
 * Writes oracle.jsonl: what the substitution that Apache Flume 1.11 uses (commons-text 1.10.0) makes
 * of nasty texts, one JSON object a line. The variables are the same in substitute_test.go.
 *
 * Run with: java -cp commons-text-1.10.0.jar:commons-lang3-3.12.0.jar SubstituteOracle.java > oracle.jsonl
 */
public final class SubstituteOracle {

  private static final Map<String, String> KEYS = Map.of("a", "A", "b", "bb", "which", "HOME", "AB", "both", "a.b", "dotted", "empty", "", "k}", "odd");
  private static final Map<String, String> ENV = Map.of("HOME", "/home/x", "REF", "<${a}>", "DEEP", "${env:REF}${b}", "LOOP", "x${env:LOOP}",
      "PING", "${env:PONG}", "PONG", "${env:PING}", "UNDEF", "${nothing}", "ESC", "$${a}", "DOLLAR", "$");
  private static final Map<String, String> SYS = Map.of("prop", "P", "a", "sysA");

  private static final String[] BY_HAND = {
      "", "plain", "$", "$$", "${", "${}", "$}", "}", "{}", "${a", "$a", "${a}", "x${a}y", "${a}${b}", "${a}${", "${a}${}", "${nothing}", "%{a}",
      "%{a}${a}", "$1 ${a}", "${a }", "${ a}", "${a.b}", "${env:HOME}", "${ENV:HOME}", "${Env:HOME}", "${env:nothing}", "${env:a}", "${sys:prop}",
      "${sys:a}", "${sys:b}", "${foo:a}", "${foo:bar:a}", "${env:}", "${:a}", "${:}", "${env:foo:a}", "${nothing:-d}", "${a:-d}", "${env:X:-d}",
      "${env:X:-}", "${nothing:-${a}}", "${nothing:-x${a}y}", "${nothing:-${nothing}}", "${nothing:-a:-b}", "${:-d}", "${a:-}", "${x:-$${a}}",
      "${env:${which}}", "${${a}${b}}", "${${a}B}", "${A${b}}", "${${nothing}}", "${${nothing}:-d}", "${${nothing:-a}}", "${env:${nothing:-HOME}}",
      "$${a}", "$$${a}", "$$$${a}", "$${a}${a}", "$${${a}}", "$${x${a}y}", "${$${a}}", "x$${a", "$${", "$${}", "${a ${b}", "${a ${b}}", "${a} ${b ${a}",
      "${env:REF}", "${env:DEEP}", "${env:LOOP}", "${env:PING}", "${env:UNDEF}", "${env:ESC}", "${env:DOLLAR}{a}", "${k}}", "${a}}", "{${a}}",
      "${empty}", "x${empty}y", "${empty:-d}", "${f1['key']}", "${f1[\"key\"]}x${a}", "${f1[key]}", "^\\d+${a}$", "a${b}$", "${a$b}", "${a{b}",
      "${a}$${a}$$${a}$$$${a}", "${a:-${b:-${which}}}", "${z:-${y:-${x:-deep}}}", "${a:b:-c}", "${a: -b}", "${z:-}}", "${z:-{}}", "${z:-${}}",
  };

  private static final String[] PIECES = {
      "${", "${", "${", "}", "}", "}", "$", "$", "a", "b", "AB", "env:", "sys:", "foo:", "HOME", "REF", "DEEP", "LOOP", "UNDEF", "ESC", "which", ":-", ":-",
      ":", "-", "{", "nothing", "empty", " ", "x", "${a}", "${env:", "$${", "prop",
  };

  public static void main(String[] args) {
    Set<String> seen = new LinkedHashSet<>();
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.US_ASCII);
    for (String text : BY_HAND) {
      write(out, seen, text);
    }
    Random random = new Random(7);
    while (seen.size() < 1500) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(14); n >= 0; n--) {
        text.append(PIECES[random.nextInt(PIECES.length)]);
      }
      write(out, seen, text.toString());
    }
  }

  private static void write(PrintStream out, Set<String> seen, String text) {
    if (!seen.add(text)) {
      return;
    }
    StringLookupFactory lookups = StringLookupFactory.INSTANCE;
    StringLookup lookup = lookups.interpolatorStringLookup(
        Map.of("env", lookups.mapStringLookup(ENV), "sys", lookups.mapStringLookup(SYS)), lookups.mapStringLookup(KEYS), false);
    StringSubstitutor substitutor = new StringSubstitutor(lookup);
    substitutor.setEnableSubstitutionInVariables(true);
    String result = "";
    boolean failed = false;
    try {
      result = substitutor.replace(text);
    } catch (IllegalStateException cycle) {
      failed = true;
    }
    out.print("{\"in\":" + quote(text) + ",\"out\":" + quote(result) + ",\"failed\":" + failed + "}\n");
  }

  private static String quote(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }
}
