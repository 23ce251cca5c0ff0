"""The characters of the built-in source, by script.

Every one is in DejaVu Sans, which matplotlib ships. Characters that look like another of the list in some
font are left out (of A and its Greek and Cyrillic doubles one stays, likewise of c and C), as are those that
are little more than a line or a dot once scaled to fill the image.
"""

from collections.abc import Mapping

SCRIPTS: Mapping[str, str] = {
    "Latin": "ACKNPQRSWafgk",
    "Greek": "ΒΖΜΠΣΦΨαβεζιλμνξςω",
    "Cyrillic": "ГДЖЛУЦШЩЪЫЬЮЯэЂЉЊЋ",
    "Armenian": "ԱԲԳԵԶԷԸԹԺԻԽԾՀՁՂՄՇՊՌՎՔՖխճ",
    "Georgian": "აგდვთიკლნჟრტფყჭჯ",
    "Asomtavruli": "ႠႡႤႥႦႧႩႪႫႮႯႰႵႼႾჃჄჅ",
    "Hebrew": "אבגדזךכלעפץצקש",
    "Arabic": "بدرسطعفقكمنويءة",
    "Syllabics": "ᐁᐂᐃᐅᐆᐊᐋᐍᐏᐐᐒᐓᐔᐕᐗᐘᐙᐚᐝᐫᐮᐲᐳᐴ",
    "Tifinagh": "ⴱⴳⴴⴶⴹⴻⴼⴽⴿⵃⵄⵅⵋⵌⵍⵐⵒⵓⵚⵛⵜⵡⵢⵣ",
    "NKo": "߁߂߃߄߅߆߈߉ߐߒߓߔߖߘߝߞߢߤ",
    "Lao": "ກຂງຈຊຍຕຖນປຜພຣລສຫ",
    "Old_Italic": "𐌂𐌃𐌄𐌋𐌌𐌍𐌎𐌐𐌔𐌕𐌗𐌙𐌝",
    "Mathematics": "∀∂∃∄∅∈√∛∟∠∡∢∬∮∰≈≠≡≤⊗⋈⊢⋔⋇",
    "Symbols": "☁☂★☆☊☎☘☠☢☣☮☯♀♂♔♘♞♠♪♫♻⚓⚖",
}
