package ldaptest

import "strings"

// culture is where a person's name, town and telephone come from. A name that is not in Latin letters has
// its Latin spelling for addresses behind a slash.
type culture struct {
	given, surname, towns, country, phone, language string
}

// cultures are the offices of the example company.
func cultures() []culture {
	return []culture{
		{
			"Anna Erik Åsa Björn Göran Linnéa Märta Oskar Saga Viktor Elin Håkan Karin Östen Ebba Nils",
			"Andersson Bergström Åkesson Öberg Lindqvist Sjöberg Holmgren Nyström Ekström Dahlgren Hedlund Sandström Wallin Fröberg",
			"Stockholm Göteborg Malmö", "SE", "+46 8 555", "sv-SE",
		},
		{
			"João Beatriz Luís Conceição Mateus Inês Antônio Letícia Thiago Júlia Otávio Lúcia Caio Débora Flávio Íris",
			"Silva Souza Gonçalves Araújo Conceição Magalhães Falcão Brandão Guimarães Simões Corrêa Prudêncio Moura Assunção",
			"São_Paulo Recife Florianópolis", "BR", "+55 11 5555", "pt-BR",
		},
		{
			"Łukasz Małgorzata Paweł Żaneta Grażyna Zbigniew Agnieszka Krzysztof Świętosława Michał Joanna Stanisław Elżbieta Jakub Wojciech Róża",
			"Kowalski Wiśniewski Wójcik Zieliński Jabłoński Dąbrowski Łukaszewicz Gołębiewska Pawłowska Ćwikła Źródłowski Żukowski Nowak Kaźmierczak",
			"Kraków Łódź Wrocław", "PL", "+48 22 555", "pl-PL",
		},
		{
			"Emma James Olivia Noah Grace Henry Chloe Samuel Imogen Declan Siobhán Owen Harriet Callum Zoë Fergus",
			"Smith O'Connor Taylor Brown Hughes MacDonald Walker Wright Hall-Jones Ó_Briain Cooper Ward Fitzgerald Brontë",
			"London Dublin Leeds", "GB", "+44 20 7946", "en-GB",
		},
		{
			"Jürgen Käthe Sören Björk Günther Änne Lukas Sophie Jörg Mareike Heiner Bärbel Felix Ursula Rüdiger Hannelore",
			"Müller Schäfer Groß Weiß Böhm Krüger Köhler Schröder Bäcker Maaß Vogel von_Bülow Jäger Strauß",
			"München Köln Düsseldorf", "DE", "+49 30 5555", "de-DE",
		},
		{
			"Élodie François Chloé Jérôme Maëlle Noël Hélène Gaëtan Anaïs Rémi Zoé Benoît Cécile Thibault Océane Loïc",
			"Lefèvre Dubois Béranger L'Hôpital Garçon Moreau Benoît D'Amboise Fournier Lemaître Périer Chevalier Desprès Guérin",
			"Paris Besançon Orléans", "FR", "+33 1 55 55", "fr-FR",
		},
		{
			"Nguyệt Minh Hương Đức Thảo Quang Lan Tuấn Ngọc Phúc Mai Dũng Hạnh Sơn Yến Khánh",
			"Nguyễn Trần Lê Phạm Hoàng Võ Đặng Bùi Đỗ Ngô Dương Lý Huỳnh Phan", "Hà_Nội Đà_Nẵng Huế", "VN", "+84 24 5555", "vi-VN",
		},
		{
			"Юлия/yuliya Дмитро/dmytro Олена/olena Андрій/andriy Наталія/nataliya Богдан/bohdan Ірина/iryna Тарас/taras Оксана/oksana Сергій/serhiy Марія/mariya Ігор/ihor",
			"Шевченко/shevchenko Коваленко/kovalenko Бондаренко/bondarenko Ткачук/tkachuk Кравець/kravets Мельник/melnyk Поліщук/polishchuk Савченко/savchenko Гнатюк/hnatiuk Лисенко/lysenko",
			"Київ Львів Одеса", "UA", "+380 44 555", "uk-UA",
		},
		{
			"美咲/misaki 健太/kenta 陽菜/hina 大輔/daisuke さくら/sakura 翔太/shota 結衣/yui 直樹/naoki 愛/ai 拓海/takumi 恵子/keiko 修/osamu",
			"佐藤/sato 鈴木/suzuki 高橋/takahashi 田中/tanaka 渡辺/watanabe 伊藤/ito 山本/yamamoto 中村/nakamura 小林/kobayashi 斎藤/saito",
			"東京 大阪 札幌", "JP", "+81 3 5555", "ja-JP",
		},
		{
			"Aarav Priya Rohan Ananya Vikram Meera Arjun Kavya Sanjay Lakshmi Ishaan Divya Rahul Nandini Kiran Zara",
			"Sharma Patel Iyer Krishnan Reddy Banerjee Mukherjee Venkataraman Singh Kaur Desai Chatterjee Nair Kulkarni",
			"Mumbai Bengaluru Chennai", "IN", "+91 22 5555", "en-IN",
		},
	}
}

// departments of the example company, each with its titles; the first of them leads it.
func departments() []department {
	return []department{
		{"Engineering", "Head of Engineering|Software Engineer|Senior Engineer|Test Engineer|Platform Engineer"},
		{"Sales", "Head of Sales|Account Manager|Sales Engineer|Sales Assistant"},
		{"Customer Care", "Head of Customer Care|Support Agent|Senior Support Agent|Trainer"},
		{"Finance", "Head of Finance|Accountant|Controller|Payroll Specialist"},
		{"Human Resources", "Head of Human Resources|Recruiter|HR Partner"},
		{"Marketing", "Head of Marketing|Designer|Editor|Campaign Manager"},
		{"Logistics", "Head of Logistics|Dispatcher|Warehouse Lead|Driver"},
		{"Research, Labs & Patents", "Head of Research|Scientist|Patent Analyst|Laboratory Assistant"},
	}
}

type department struct{ name, titles string }

func (d department) list() []string { return strings.Split(d.titles, "|") }

// latin gives a name as shown and as it is written in addresses.
func latin(name string) (shown, address string) {
	shown, address, ok := strings.Cut(strings.ReplaceAll(name, "_", " "), "/")
	if !ok {
		address = foldLatin(shown)
	}
	return shown, address
}

// foldLatin drops accents and everything that has no place in an address.
func foldLatin(s string) string {
	const table = "aàáâãäåāăąạảấầẩẫậắằ cçćč dđð eèéêëēęěẹẻẽếềểễệ gğ iìíîïīịỉĩ lł nñńň oòóôõöøōőọỏốồổỗộớờởỡợơ rř sśšş tţť uùúûüūůűụủũứừửữựư yýÿỳỵỷỹ zźżž"
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
		case r == 'ß':
			b.WriteString("ss")
		default:
			for group := range strings.FieldsSeq(table) {
				if i := strings.IndexRune(group, r); i > 0 {
					b.WriteByte(group[0])
				}
			}
		}
	}
	return b.String()
}
