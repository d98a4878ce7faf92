# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of nvidia-smi as the MIG User Guide shows them, and what happens around the steps."""

from __future__ import annotations

import pytest

from ansible_collections.mlinfra.hosts.plugins.module_utils.mig import boot, carry, reading

LGIP = """\
+-----------------------------------------------------------------------------+
| GPU instance profiles:                                                      |
| GPU   Name             ID    Instances   Memory     P2P    SM    DEC   ENC  |
|                              Free/Total   GiB              CE    JPEG  OFA  |
|=============================================================================|
|   0  MIG 1g.5gb        19     7/7        4.75       No     14     0     0   |
|                                                             1     0     0   |
+-----------------------------------------------------------------------------+
|   0  MIG 1g.5gb+me     20     1/1        4.75       No     14     1     0   |
|                                                             1     1     1   |
+-----------------------------------------------------------------------------+
|   0  MIG 3g.20gb        9     0/2        19.62      No     42     2     0   |
|                                                             3     0     0   |
+-----------------------------------------------------------------------------+
"""
LGI = """\
+-------------------------------------------------------+
| GPU instances:                                        |
| GPU   Name             Profile  Instance   Placement  |
|                          ID       ID       Start:Size |
|=======================================================|
|   0  MIG 3g.20gb          9        1          4:4     |
+-------------------------------------------------------+
|   0  MIG 3g.20gb          9        2          0:4     |
+-------------------------------------------------------+
"""
LCI = """\
+--------------------------------------------------------------------+
| Compute instances:                                                 |
| GPU     GPU       Name             Profile   Instance   Placement  |
|       Instance                       ID        ID       Start:Size |
|         ID                                                         |
|====================================================================|
|   0      1       MIG 3g.20gb          2         0          0:3     |
+--------------------------------------------------------------------+
|   0      2       MIG 1c.3g.20gb       0         0          0:1     |
+--------------------------------------------------------------------+
"""
XML = """<?xml version="1.0" ?><nvidia_smi_log><driver_version>580.95.05</driver_version>
<gpu id="00000000:10:1C.0"><product_name>NVIDIA A100-SXM4-40GB</product_name>
<mig_mode><current_mig>%s</current_mig><pending_mig>%s</pending_mig></mig_mode><uuid>GPU-00000000-0000-0000-0000-000000000000</uuid>
<pci><pci_device_id>20B010DE</pci_device_id></pci><fb_memory_usage><total>40960 MiB</total></fb_memory_usage>
<processes>%s</processes></gpu></nvidia_smi_log>"""
PROCESS = "<process_info><pid>42</pid><type>C</type><process_name>/usr/bin/python3 --token x</process_name></process_info>"


SPECIFICATION = "cdiVersion: 0.5.0\nkind: %s\ndevices:\n" + "- name: %s\n" * 2


class Smi:
    """nvidia-smi of one A100 that does as it is told; ``fails``: the beginning of a command that does not work."""

    def __init__(self, mode="Enabled", fails=None, sticks=False):
        self.mode, self.pending, self.fails, self.sticks, self.ran, self.made = mode, mode, fails, sticks, [], []

    def __call__(self, argv):
        said = " ".join(argv[1:])
        if said == "-q -x":
            return 0, XML % (self.mode, self.pending, ""), ""
        if said.startswith("mig -l") and self.mode == "Disabled":
            return 6, "No MIG-enabled devices found.", ""
        if said.startswith("mig -l"):
            rows = {"-lgip": LGIP, "-lgi": "".join("|   0  MIG %s   9   %d   0:4     |\n" % (name, n) for n, name in enumerate(self.made))}
            rows["-lci"] = "".join("|   0   %d   MIG %s   2   0   0:4     |\n" % (n, name) for n, name in enumerate(self.made))
            return 0, rows[argv[2]], ""
        self.ran.append(said)
        if self.fails and said.startswith(self.fails):
            return 19, "", "Insufficient Resources"
        if " -mig " in said:
            self.pending = "Enabled" if said.endswith("1") else "Disabled"
            self.mode = self.mode if self.sticks else self.pending
        if "-dgi" in said:
            self.made = []
        if "-cgi" in said:
            self.made = argv[3].split(",")
        return (3 if "--gpu-reset" in said else 0), "", ""


def test_tables():
    assert reading.profiles(LGIP) == {0: {"1g.5gb": 7, "1g.5gb+me": 1, "3g.20gb": 2}}
    assert reading.instances(LGI) == {0: {1: "3g.20gb", 2: "3g.20gb"}}
    assert reading.compute(LCI) == {(0, 1): ["3g.20gb"], (0, 2): ["1c.3g.20gb"]}


def test_a_gpu_with_all_that_counts_and_no_arguments_of_processes():
    answers = {"-q": XML % ("Enabled", "Enabled", PROCESS), "-lgip": LGIP, "-lgi": LGI, "-lci": LCI}
    (found,) = reading.look(lambda argv: (0, answers[argv[2] if argv[1] == "mig" else argv[1]], ""))
    assert (found["model"], found["mode"], found["instances"]) == ("a100", "enabled", ["3g.20gb", "3g.20gb"])
    assert found["whole"] is False and found["processes"] == [{"pid": 42, "program": "python3"}]


@pytest.mark.parametrize(
    ("code", "out", "told"),
    [
        (
            9,
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
            "returned 9 and says: NVIDIA-SMI has failed",
        ),
        (127, "", "returned 127 and says: nothing"),
        (0, "<?xml version='1.0'?><other/></nvidia_smi_log>", "cannot be read"),
    ],
)
def test_no_driver_is_told(code, out, told):
    with pytest.raises(reading.Unreadable, match=told):
        reading.look(lambda argv: (code, out, ""))


def test_what_fails_half_way_is_put_back():
    tool = Smi(fails="mig -cgi 3g.20gb")
    tool.made = ["1g.5gb"]
    with pytest.raises(carry.Broken) as caught:
        carry.act([{"profiles": ["3g.20gb", "3g.20gb"]}], tool, reading.look(tool))
    assert "Cannot give GPU 0 3g.20gb, 3g.20gb" in str(caught.value) and "has its former layout again" in str(caught.value)
    assert tool.made == ["1g.5gb"]


def test_a_profile_that_only_nvidia_smi_knows_to_be_missing_switches_mig_off_again():
    """The table has 2g.10gb for this memory, and this GPU lists none."""
    tool = Smi("Disabled")
    with pytest.raises(carry.Broken, match="no profile 2g.10gb"):
        carry.act([{"profiles": ["2g.10gb"]}], tool, reading.look(tool))
    assert tool.mode == "Disabled"


def test_a_mode_that_only_a_reboot_changes():
    tool = Smi("Disabled", sticks=True)
    done, waiting = carry.act([{"profiles": ["3g.20gb"]}], tool, reading.look(tool))
    assert waiting == [0] and "--gpu-reset -i 0" in tool.ran and not any("-cgi" in one for one in tool.ran)


@pytest.mark.parametrize(
    ("names", "stale"),
    [(None, False), (["all"], False), (["0", "1:0", "1:1", "all"], False), (["0", "1", "all"], True), (["GPU-1", "all"], False)],
)
def test_a_specification_that_does_not_fit(names, stale):
    fits = ("/etc/cdi/nvidia.yaml", ["0", "1:0", "1:1"])
    assert carry.is_stale([("/var/run/cdi/nvidia.yaml", names)], ["0", "1:0", "1:1"]) is stale
    assert carry.is_stale([fits, ("/var/run/cdi/nvidia.yaml", names)], ["0", "1:0", "1:1"]) is stale
    assert carry.is_stale([("/etc/cdi/nvidia.yaml", names), fits], ["0", "1:0", "1:1"]) is stale


def put(path, *words):
    path.parent.mkdir(exist_ok=True)
    path.write_text(SPECIFICATION % words)
    return str(path)


def test_all_specifications_of_the_gpus_are_found_and_none_of_others(tmp_path):
    """The later folder's are in force (CDI's library, pkg/cdi/cache.go), and devices that only the earlier has are given as well."""
    first, last = folders = [str(tmp_path / "etc"), str(tmp_path / "run")]
    assert carry.specifications(folders) == [(last + "/nvidia.yaml", None)]
    old = put(tmp_path / "etc/nvidia.yaml", "nvidia.com/gpu", "0", "all")
    assert carry.specifications(folders) == [(old, ["0", "all"])]
    new = put(tmp_path / "run/nvidia.yaml", "nvidia.com/gpu", '"0:0"', "all")
    renamed = put(tmp_path / "etc/gpus.yaml", "nvidia.com/gpu", "0", "all")
    put(tmp_path / "etc/own.yaml", "nvidia.com/gpu", "mine", "yours")
    put(tmp_path / "run/gds.yaml", "nvidia.com/gds", "0", "all")
    put(tmp_path / "run/nvidia.json", "example.com/other", "0", "all")
    (tmp_path / "run/broken.json").write_text("{" * 100000)
    found = carry.specifications(folders)
    assert found == [(renamed, ["0", "all"]), (old, ["0", "all"]), (new, ["0:0", "all"])]
    assert carry.is_stale(found, ["0:0"]) and not carry.is_stale(found[-1:], ["0:0"])


class Two(Smi):
    """The same with a second GPU, on which nothing works; nvidia-ctk, too, which counts its calls."""

    def __call__(self, argv):
        if argv[0] == carry.CTK:
            self.ran.append(" ".join(argv))
            return (1, "", "no space left") if self.fails == "cdi" else (0, "", "")
        code, out, err = super().__call__(argv)
        if argv[1:] == ["-q", "-x"]:
            start, end = out.index("<gpu "), out.index("</nvidia_smi_log>")
            out = out[:end] + out[start:end].replace(":10:1C", ":20:1C") + out[end:]
        elif argv[-2:] == ["-i", "1"] or argv[1:3] == ["-i", "1"]:
            return 19, "", "Insufficient Resources"
        return code, out, err


@pytest.mark.parametrize("fails", [None, "cdi"])
def test_gpus_that_were_changed_before_another_fails_are_told_to_engines(fails, tmp_path):
    tool = Two(fails=fails)
    found = [(str(tmp_path / name), None) for name in ("etc.yaml", "run.yaml")]
    with pytest.raises(carry.Broken) as caught:
        carry.act([{"profiles": ["3g.20gb", "3g.20gb"]}], tool, reading.look(tool), found)
    assert "Cannot give GPU 1 3g.20gb, 3g.20gb" in str(caught.value) and "Done before: give GPU 0" in str(caught.value)
    told = "Done after it: write the CDI" if fails is None else "Containers may be given GPUs as they were before: Cannot write the CDI"
    assert told in str(caught.value)
    calls = [one for one in tool.ran if one.startswith("nvidia-ctk")]
    in_force_first = [path for path, _names in reversed(found)]
    assert calls == ["nvidia-ctk cdi generate --output=%s" % path for path in in_force_first[: 2 if fails is None else 1]]


def test_nothing_is_told_to_engines_when_nothing_was_done(tmp_path):
    tool = Two()
    gpus = [one for one in reading.look(tool) if one["index"] == 1]
    with pytest.raises(carry.Broken):
        carry.act([{"gpus": [1], "profiles": ["3g.20gb"]}], tool, gpus, [(str(tmp_path / "nvidia.yaml"), None)])
    assert not [one for one in tool.ran if one.startswith("nvidia-ctk")]


def test_a_boot_tells_engines_of_what_it_changed_before_another_gpu_failed(tmp_path, monkeypatch, capsys):
    tool, old = Two(), put(tmp_path / "nvidia.yaml", "nvidia.com/gpu", "0", "all")
    monkeypatch.setattr(boot, "run", tool)
    monkeypatch.setattr(boot.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(carry, "stored", lambda: [{"profiles": ["3g.20gb", "3g.20gb"]}])
    monkeypatch.setattr(carry.specifications, "__defaults__", ([str(tmp_path)],))
    assert boot.main() == 1 and "Done after it: write the CDI specification %s." % old in capsys.readouterr().err
    assert tool.ran[-1] == "nvidia-ctk cdi generate --output=%s" % old
