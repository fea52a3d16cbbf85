import java.nio.ByteBuffer;
import java.nio.charset.*;
import java.util.*;

/**
 * Prints what Java's character set decoders make of malformed and unmappable input, one case a line:
 *
 *   character set, input in hex, result with REPLACE and with IGNORE as hex of UTF-8, offset at which REPORT fails or "-"
 *
 * Made with:  java testdata/Vectors.java > testdata/vectors.txt   (JDK 17)
 */
public class Vectors {
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) throws Exception {
        utf8();
        wide();
        for (String name : new String[] {
            "US-ASCII", "ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7",
            "ISO-8859-8", "ISO-8859-9", "ISO-8859-13", "ISO-8859-15", "ISO-8859-16", "windows-1250", "windows-1251", "windows-1252",
            "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874",
            "KOI8-R", "KOI8-U", "IBM437", "IBM850", "IBM852", "IBM855", "IBM862", "IBM866", "IBM037", "IBM1047"}) {
            byte[] all = new byte[256];
            for (int i = 0; i < 256; i++) all[i] = (byte) i;
            print(name, all);
        }
        for (String name : new String[] {"Shift_JIS", "EUC-JP", "GBK", "GB18030", "Big5", "EUC-KR"}) {
            print(name, HEX.parseHex("6181"));
        }
    }

    /** All sequences of up to four bytes whose bytes are on the edges of the classes that UTF-8 knows. */
    static void utf8() throws Exception {
        int[] leads = {0x41, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7,
            0xf8, 0xfb, 0xfc, 0xfe, 0xff};
        int[] seconds = {0x0a, 0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xff};
        int[] rest = {0x41, 0x80, 0xbf, 0xe2};
        for (int a : leads) {
            print("UTF-8", bytes(a));
            for (int b : seconds) {
                print("UTF-8", bytes(a, b));
                for (int c : rest) {
                    print("UTF-8", bytes(a, b, c));
                    if (a >= 0xed) for (int d : rest) print("UTF-8", bytes(a, b, c, d));
                }
            }
        }
        for (String s : new String[] {
            "eda080edb080", "eda0bdedb880", "f09f9880f09f98", "efbfbd", "efbbbf61", "61efbbbf", "f8888080", "fc8480808080", "c3a9c3",
            "e282ace282", "f4908080", "f48fbfbf", "00", "c080", "e08080", "f0808080", "808080808080"}) {
            print("UTF-8", HEX.parseHex(s));
        }
    }

    static void wide() throws Exception {
        for (String s : new String[] {
            "", "00", "0061", "6100", "fffe", "feff", "fffe6100", "feff0061", "0061feff0062", "0061fffe0062", "6100feff6200", "6100fffe6200",
            "d83dde00", "3dd800de", "d83d0061", "3dd86100", "d83d", "3dd8", "d83dde", "3dd800", "de000061", "00de6100", "d83dd83dde00",
            "3dd83dd800de", "d83d000a0062", "3dd80a006200", "006100", "610062", "feff", "fefffeff0061", "fffefffe6100", "fffefeff6100"}) {
            for (String name : new String[] {"UTF-16", "UTF-16BE", "UTF-16LE"}) print(name, HEX.parseHex(s));
        }
        for (String s : new String[] {
            "", "00000061", "61000000", "0000feff00000061", "fffe000061000000", "0001f600", "00f60100", "00110000", "00001100", "7fffffff",
            "ffffffff", "0000d83d", "3dd80000", "000061", "0000", "00000061000000", "ffffff7f", "000000610000feff"}) {
            for (String name : new String[] {"UTF-32", "UTF-32BE", "UTF-32LE"}) print(name, HEX.parseHex(s));
        }
    }

    static byte[] bytes(int... values) {
        byte[] b = new byte[values.length];
        for (int i = 0; i < b.length; i++) b[i] = (byte) values[i];
        return b;
    }

    static void print(String name, byte[] in) throws Exception {
        Charset set = Charset.forName(name);
        StringBuilder failed = new StringBuilder("-");
        ByteBuffer src = ByteBuffer.wrap(in);
        CharsetDecoder report = set.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
        try {
            java.nio.CharBuffer dst = java.nio.CharBuffer.allocate(in.length * 4 + 16);
            CoderResult r = report.decode(src, dst, true);
            if (r.isError()) failed = new StringBuilder(String.valueOf(src.position()));
        } catch (Exception e) {
            throw new IllegalStateException(name, e);
        }
        System.out.println(name + "\t" + HEX.formatHex(in) + "\t" + decode(set, in, CodingErrorAction.REPLACE) + "\t"
            + decode(set, in, CodingErrorAction.IGNORE) + "\t" + failed);
    }

    static String decode(Charset set, byte[] in, CodingErrorAction action) throws Exception {
        String text = set.newDecoder().onMalformedInput(action).onUnmappableCharacter(action).decode(ByteBuffer.wrap(in)).toString();
        return HEX.formatHex(text.getBytes(StandardCharsets.UTF_8));
    }
}
