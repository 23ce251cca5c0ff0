"""The characters of the built-in source, by script.

Every one is in DejaVu Sans, which matplotlib ships. Characters that look like another of the list in some
font are left out (of A and its Greek and Cyrillic doubles one stays, likewise of c and C), as are those that
are little more than a line or a dot once scaled to fill the image.
"""

from collections.abc import Mapping

SCRIPTS: Mapping[str, str] = {
    "Latin": "ACEHJLQRSUWafghijkt",
    "Greek": "ΒΓΖΚΜΝΞΧΨαβζλμνξςω",
    "Cyrillic": "БДЖЛРУФЦШЩЪЫЭЮЯбЂЉЊЋ",
    "Armenian": "ԱԲԳԴԵԶԷԸԹԺԻԽԾՀՁՆՇՉՊՌՎՔՖխ",
    "Georgian": "აგდეთიკლოჟრტუფყჩჭჯ",
    "Asomtavruli": "ႠႡႤႥႦႧႨႩႪႫႮႯႰႲႵႺႼႽჃჅ",
    "Hebrew": "אבדהזיכלנעפץצקש",
    "Arabic": "بحدرسطعفقكمنويءة",
    "Syllabics": "ᐁᐂᐃᐅᐆᐊᐋᐍᐏᐐᐑᐒᐓᐔᐕᐗᐘᐙᐚᐫᐮᐲᐳᐴ",
    "Tifinagh": "ⴱⴳⴴⴶⴻⴼⴽⴾⴿⵃⵄⵆⵇⵋⵌⵍⵎⵐⵒⵓⵘⵚⵛⵜ",
    "NKo": "߁߂߃߄߅߆߈߉ߋߐߑߒߔߕߖߗߘߚߝߞߟߢߤ",
    "Lao": "ກຂງຈຊຍຕຖທນປຜພມລສອ",
    "Old_Italic": "𐌂𐌃𐌄𐌅𐌋𐌌𐌍𐌎𐌐𐌔𐌕𐌖𐌙𐌚𐌝",
    "Mathematics": "∀∂∃∄∅∈∑√∛∠∡∢∬∮∰∴∵≈≠≤⊗⋈",
    "Symbols": "☀☁☂☃☄★☆☊☎☔☕☘☠☢☣☮☯☺♀♂♔♘♞♠",
}
