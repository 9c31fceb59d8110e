"""What the package says about the C side, compared with the headers: nothing missing, nothing different."""
import ctypes
import os
import re
import unittest

import qnt
from case import WithoutNumpy
from qnt import capi

tree = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, os.pardir)

# Constants that words stand for: the prefix of a name, and the words.
WORDS = (("", qnt.SCHEMES), ("", qnt.METHODS), ("P_", qnt.PARAMETERS), ("P_", qnt.TRAINING), ("", qnt.KINDS),
         ("", qnt.LAYOUTS), ("", qnt.ACTIVATIONS), ("SEARCH_", qnt.SEARCHES), ("ALQ_", qnt.ALQ_MODES))


def read(*path):
    with open(os.path.join(tree, *path)) as file:
        return file.read()


def headers():
    """All of them, without comments and lines of the preprocessor."""
    names = sorted(os.listdir(os.path.join(tree, "include", "qnt")))
    text = "\n".join(read("include", "qnt", name) for name in names)
    return re.sub(r"^ *#.*?(?<!\\)$|/\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL)


def shortened(result, arguments):
    """A prototype as PROTOTYPES has it: types only, without const."""
    def kind(argument):
        argument = re.sub(r"\bconst\b", "", argument)
        array = argument.endswith("]")
        name = re.match(r"(.*?)(\w+)?(\[\d*\])?$", argument.strip(), re.DOTALL)
        return re.sub(r"\s", "", name.group(1)) + "*" * array

    arguments = [] if arguments.strip() == "void" else arguments.split(",")
    return kind(result + " x"), tuple(kind(argument) for argument in arguments)


@unittest.skipUnless(os.path.exists(os.path.join(tree, "lib", "qnt.symbols")), "outside the source tree")
class Declarations(WithoutNumpy):
    def test_every_function_is_declared(self):
        declared = re.findall(r"(\w+)\(", capi.PROTOTYPES)
        self.assertEqual(sorted(declared), read("lib", "qnt.symbols").split())

    def test_every_function_is_used(self):
        """By the layer that users see: nothing is only declared."""
        folder = os.path.dirname(qnt.__file__)
        code = "".join(read(folder, name) for name in os.listdir(folder) if name.endswith(".py"))
        kinds = "|".join(re.findall(r'_kind = "(\w+)"', code))
        names = re.findall(r'(?<=")\w+(?=")|(?<=\.qnt_)\w+', code.replace(capi.PROTOTYPES, ""))
        self.assertEqual([name for name in read("lib", "qnt.symbols").split() if name[4:] not in names and
                          not re.fullmatch(r"qnt_(%s)_(destroy|save|load)" % kinds, name)], [])  # by their kind

    def test_prototypes(self):
        found = re.findall(r"QNT_API\s+([\w\s*]+?)(\bqnt_\w+)\(([^;]*)\);", headers())
        want = {name: shortened(result, arguments) for result, name, arguments in found}
        self.assertGreater(len(want), 100)
        have = re.findall(r"(\S+) (\w+)\((.*?)\)", capi.PROTOTYPES, re.DOTALL)
        self.assertEqual({name: (result, tuple(re.findall(r"[^\s,]+", arguments)))
                          for result, name, arguments in have}, want)

    def test_callbacks(self):
        """Their arguments, by size and kind."""
        found = re.findall(r"typedef\s+(\w+)\s*\(\*(qnt_\w+_fn)\)\(([^;]*)\);", headers())
        names = {name for _, name, _ in found}
        self.assertLess({"qnt_log_fn", "qnt_trial_fn"}, names)
        for result, name, arguments in found:
            function = getattr(capi, name)
            if function is ctypes.c_void_p:
                continue  # passed on as it is
            result, arguments = shortened(result, arguments)
            self.assertIs(function._restype_, capi._type(result), name)
            self.assertEqual(list(function._argtypes_), [capi._type(argument) for argument in arguments], name)

    def test_structs(self):
        """Of every public one, size and members as test/abi/layout.c has them."""
        rows = re.findall(r"^    (TOTAL|MEMBER)\((qnt_\w+), ([^;]*)\);", read("test", "abi", "layout.c"), re.MULTILINE)
        structs, members = {name for _, name, _ in rows}, {}
        self.assertLess({"qnt_tensor", "qnt_spec", "qnt_trial"}, structs)
        self.assertEqual(structs, set(re.findall(r"^} (qnt_\w+);", headers(), re.MULTILINE)))
        for kind, name, numbers in rows:
            struct = getattr(capi, name)
            if kind == "TOTAL":
                self.assertEqual(ctypes.sizeof(struct), int(numbers), name)
            else:
                member, offset, size = numbers.split(", ")
                field = getattr(struct, member)
                self.assertEqual((field.offset, field.size), (int(offset), int(size)), (name, member))
                members.setdefault(name, []).append(member)
        for name in structs:
            self.assertEqual([field for field, _ in getattr(capi, name)._fields_], members[name])

    def test_objects(self):
        opaque = set(re.findall(r"typedef struct (qnt_\w+) \1;", headers()))
        self.assertEqual({"qnt_" + name for name in capi.OBJECTS}, opaque)

    def test_constants(self):
        rows = re.findall(r"IS\(QNT_(\w+), (-?\w+)\);", read("test", "abi", "constants.c"))
        self.assertGreater(len(rows), 100)
        for name, number in rows:
            words = [words for prefix, words in WORDS
                     if name.startswith(prefix) and name[len(prefix):].lower() in words]
            values = [words[name[len(prefix):].lower()] for prefix, words in WORDS
                      if name.startswith(prefix) and name[len(prefix):].lower() in words]
            if not words:
                values = [getattr(qnt, name)]
            self.assertEqual(set(values), {int(number, 0)}, name)


class Fitting(WithoutNumpy):
    """What a C compiler would warn about."""

    def test_numbers_that_wrap(self):
        with self.assertRaises(OverflowError):
            qnt.Quantizer(self.context, bits=2**32 + 4)
        with self.assertRaises(OverflowError):
            qnt.Quantizer(self.context, seed=-1)
        with self.assertRaises(OverflowError):
            qnt.Pool(self.context, -1)
        with self.assertRaises(OverflowError):
            self.context.cpu = 2**64
        with self.assertRaises(OverflowError):
            qnt.standard_table(self.context, 2**32 + 50)
        with self.assertRaises(TypeError):
            qnt.Quantizer(self.context, bits=4.5)

    def test_objects_of_another_kind(self):
        q, x = qnt.Quantizer(self.context), memoryview(bytes(16)).cast("f", (2, 2))
        bases = qnt.Bases(self.context, x)
        for other in (qnt.Pool(self.context, 2), 12345, b"bytes", self.context):
            with self.assertRaises(TypeError):
                qnt.Layer(self.context, x, other)
            with self.assertRaises(TypeError):
                q.fit_pair(other)
            with self.assertRaises(TypeError):
                qnt.prune([bases, other], 1)
        with self.assertRaisesRegex(qnt.Error, "weight_q is NULL"):
            qnt.Layer(self.context, x, None)

    def test_members_that_structs_lack(self):
        with self.assertRaises(AttributeError):
            capi.qnt_spec(bit=4)
        for stride in ((1,), (1, 2, 3)):
            with self.assertRaisesRegex(ValueError, "stride takes 2 numbers, not %d" % len(stride)):
                capi.qnt_conv(stride=stride)
        with self.assertRaises(OverflowError):
            capi.qnt_conv(pad=(1, 2, 3, 2**32))
